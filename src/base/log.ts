/** The logger a node is given: structured, levelled, never on the request path. `io/pino-log.ts` is the real one. */

/** Plain data that a log line carries beside its message. */
export type LogFields = Readonly<Record<string, string | number | boolean | null>>;

/** Four levels; each line is a constant message with its data beside it. */
export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}

/** Says nothing. */
export const silentLog: Logger = {
  debug() {},
  info() {},
  warn() {},
  error() {},
};
