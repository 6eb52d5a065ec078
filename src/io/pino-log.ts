/** The logger of real nodes: JSON lines through pino, written synchronously in small numbers, never on the request path. */
import { destination, pino } from "pino";
import type { LogFields, Logger } from "../base/log.ts";

/** A logger to file descriptor `fd` (2: standard error); `name` is the node's. */
export function pinoLog(name: string, level: string, fd: number): Logger {
  const out = pino(
    { level, base: { node: name, pid: process.pid }, timestamp: pino.stdTimeFunctions.isoTime },
    destination({ fd, sync: true }),
  );
  return {
    debug: (message: string, fields?: LogFields): void => out.debug(fields ?? {}, message),
    info: (message: string, fields?: LogFields): void => out.info(fields ?? {}, message),
    warn: (message: string, fields?: LogFields): void => out.warn(fields ?? {}, message),
    error: (message: string, fields?: LogFields): void => out.error(fields ?? {}, message),
  };
}
