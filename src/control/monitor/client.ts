import { connect } from 'node:net';
import { restartOf } from '../../model/monitor.js';
import { notPermitted, notPossible, type SockdocError } from '../../support/errors.js';
import { type Message, messageIn, REASON, refusalIn, requestOf, TYPE } from './messages.js';

const PATIENCE_MS = 5000;
const TICK_MS = 50;

/**
 * Asks the monitor at this socket one thing; undefined when none listens there. One of another build is asked in its own
 * version. What it refuses, and silence, are errors with the reason.
 */
export async function askMonitor(socket: string, type: number, patienceMs = PATIENCE_MS): Promise<Message | undefined> {
  let answer: Message | undefined;
  try {
    answer = await exchange(socket, requestOf(type), patienceMs);
    const version = otherVersion(answer);
    if (version !== undefined) answer = await exchange(socket, requestOf(type, version), patienceMs);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ECONNREFUSED' || code === 'ENOTDIR' || code === 'ENOTSOCK') return undefined;
    if (code === 'EACCES' || code === 'EPERM')
      throw notPermitted(`the socket ${socket} may not be used`, {
        cause: error,
        next: 'As its owner: sudo sockdoc …',
      });
    throw notPossible(`the monitor at ${socket} does not answer: ${message}`, {
      cause: error,
      next: 'It may be stopped or overloaded. Its process is in the file beside the socket, with .lock behind its name.',
    });
  }
  if (answer.type === TYPE.refused) throw refusal(answer.body, socket);
  return answer;
}

function otherVersion({ type, body }: Message): number | undefined {
  if (type !== TYPE.refused) return undefined;
  const { reason, version } = refusalIn(body);
  return reason === REASON.otherVersion ? version : undefined;
}

function refusal(body: Buffer, socket: string): SockdocError {
  const { reason, version } = refusalIn(body);
  if (reason === REASON.notPermitted)
    return notPermitted('only root and the user that the monitor runs as may do that', {
      next: 'As that user: sudo sockdoc …',
    });
  if (reason === REASON.otherVersion)
    return notPossible(`the monitor speaks version ${version} of the protocol, this sockdoc another`, {
      next: restartOf(socket),
    });
  return notPossible(`the monitor refuses, reason ${reason}`);
}

function exchange(path: string, request: Buffer, patienceMs: number): Promise<Message> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    const parts: Buffer[] = [];
    const end = (error: Error) => {
      socket.destroy();
      reject(error);
    };
    // For all of it: one that sends a byte now and then is as silent as one that sends nothing. In ticks, since an answer may
    // have been there for long when nobody let this process run.
    let ticks = patienceMs / TICK_MS;
    const timer = setInterval(() => {
      if (--ticks <= 0) end(new Error(`no answer within ${patienceMs / 1000} s`));
    }, TICK_MS);
    socket.on('error', end);
    socket.on('close', () => {
      clearInterval(timer);
      reject(new Error('it closed the connection'));
    });
    socket.on('connect', () => socket.write(request));
    socket.on('data', (part) => {
      parts.push(part);
      try {
        const message = messageIn(Buffer.concat(parts));
        if (!message) return;
        resolve(message);
        socket.destroy();
      } catch (error) {
        end(error as Error);
      }
    });
  });
}
