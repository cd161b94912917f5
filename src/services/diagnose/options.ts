/** Which processes and namespaces a run is about. Everything empty: all processes of the current namespace. */
export interface Target {
  pids: readonly number[];
  /** systemd unit, "nginx" or "nginx.service". */
  unit?: string;
  /** Container id (or its beginning) or name. */
  container?: string;
  /** Path below the cgroup root, "/system.slice/nginx.service". */
  cgroup?: string;
  /** Name below /run/netns, a pid, or "all". */
  netns?: string;
}

/** What `collect` is asked for. It throws SockdocError when something asked for by name is not there or not readable. */
export interface CollectOptions {
  target: Target;
  /** Milliseconds between the two readings; 0 reads once. */
  windowMs: number;
  /** Aborted by Ctrl-C: collecting ends early by throwing `signal.reason`. */
  signal?: AbortSignal;
}
