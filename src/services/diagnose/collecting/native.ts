import { requireNative } from '../../../probes/native.js';
import { internalError } from '../../../support/errors.js';

/** Without the native part nothing can be read: that is no gap. */
export function nativeOrError(): void {
  try {
    requireNative();
  } catch (cause) {
    throw internalError((cause as Error).message, { cause });
  }
}
