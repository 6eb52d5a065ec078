/**
 * The history of a check as a file of JSON lines: a head, then two lines for each operation, one written before it is
 * sent and one when it has ended, so that a checker that dies leaves what it has asked behind. An operation without its
 * second line may or may not have happened. `readHistoryFile` gives back what the oracle judges.
 */
import { closeSync, openSync, readFileSync, writeSync } from "node:fs";
import { instant } from "../../base/time.ts";
import { History, type Operation, type OperationKind, type Outcome, type Shown } from "../../sim/history.ts";
import {
  badFile,
  boolean,
  type DotRow,
  dotOf,
  dotRow,
  enumerated,
  integer,
  list,
  object,
  text,
  vectorOf,
  vectorRows,
} from "./history-rows.ts";

/** What holds for all operations of a file. */
export interface HistoryHead {
  /** 32 hexadecimal digits. */
  readonly clusterId: string;
  readonly nodes: number;
  readonly n: number;
  readonly r: number;
  readonly w: number;
  readonly durability: string;
  /** Whether a get must reflect what was acknowledged before it, while the ring stays as it is (G3). */
  readonly recency: boolean;
}

/** A history with what else the judge must know. */
export interface RecordedHistory {
  readonly head: HistoryHead;
  readonly history: History;
  /** The ring epochs that answers named. */
  readonly epochs: ReadonlySet<number>;
}

const format = 1;
const kinds: readonly OperationKind[] = ["get", "put", "delete"];
const outcomes: readonly Outcome[] = ["ok", "fail", "unknown"];

/** Writes a file line by line; each line has reached the system when its call returns. */
export class HistoryFile {
  readonly #descriptor: number;

  /** Begins a new file; an older one of that name goes. */
  constructor(path: string, head: HistoryHead) {
    this.#descriptor = openSync(path, "w");
    this.#write({ format, ...head });
  }

  #write(row: object): void {
    writeSync(this.#descriptor, `${JSON.stringify(row)}\n`);
  }

  begin(operation: Operation): void {
    const { id, client, kind, key, requestId, value, context, contextOwn, begin, final } = operation;
    const own = contextOwn === null ? null : dotRow(contextOwn);
    this.#write({
      begin: id,
      at: begin,
      client,
      kind,
      key,
      requestId,
      value,
      context: vectorRows(context),
      own,
      final,
    });
  }

  end(operation: Operation, epoch: number): void {
    const { id, end, outcome, status, siblings, version, own, fallbackAcks, coordinator, attempts } = operation;
    const shown = siblings.map(({ requestId, dots, tombstone, value }) => ({
      ...{ requestId, dots: dots.map(dotRow), tombstone, value },
    }));
    const answer = { version: vectorRows(version), own: own === null ? null : dotRow(own), fallbackAcks, coordinator };
    this.#write({ end: id, at: end, outcome, status, epoch, attempts, siblings: shown, ...answer });
  }

  close(): void {
    closeSync(this.#descriptor);
  }
}

/** Reads a file; throws `INVALID_ARGUMENT` naming the line that makes no sense. A last line that was cut off is left out. */
export function readHistoryFile(path: string): RecordedHistory {
  let content: string;
  try {
    content = readFileSync(path, "utf8");
  } catch (error) {
    throw badFile(`cannot read ${path}: ${(error as NodeJS.ErrnoException).code}`);
  }
  return parseHistory(content, path);
}

/** The same from a text; `name` is for messages. */
export function parseHistory(content: string, name: string): RecordedHistory {
  const lines = content.split("\n");
  // What follows the last line break is nothing, or the beginning of a line that a dying checker could not finish.
  lines.pop();
  const rows = lines.map((line, index) => parsed(line, `${name}, line ${index + 1}`));
  const [first, ...rest] = rows;
  if (first === undefined) throw badFile(`${name} holds no history`);
  const history = new History();
  const epochs = new Set<number>();
  for (const { row, where } of rest) {
    if (row.begin === undefined) endOf(row, where, history, epochs);
    else beginOf(row, where, history);
  }
  for (const operation of history.operations) if (operation.outcome === "open") operation.outcome = "unknown";
  return { head: headOf(first.row, first.where), history, epochs };
}

interface Parsed {
  readonly row: Readonly<Record<string, unknown>>;
  readonly where: string;
}

function parsed(line: string, where: string): Parsed {
  try {
    return { row: object(JSON.parse(line), where), where };
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw badFile(`${where} is no JSON: ${error.message}`);
  }
}

function headOf(row: Parsed["row"], where: string): HistoryHead {
  if (row.format !== format) throw badFile(`${where}: format is ${String(row.format)}; known: ${format}`);
  return {
    clusterId: text(row, "clusterId", where),
    nodes: integer(row, "nodes", where),
    n: integer(row, "n", where),
    r: integer(row, "r", where),
    w: integer(row, "w", where),
    durability: text(row, "durability", where),
    recency: boolean(row, "recency", where),
  };
}

function beginOf(row: Parsed["row"], where: string, history: History): void {
  if (row.begin !== history.operations.length) {
    throw badFile(`${where}: operation ${String(row.begin)} begins; expected: ${history.operations.length}`);
  }
  history.begin({
    client: integer(row, "client", where),
    kind: enumerated(row, "kind", kinds, where),
    key: text(row, "key", where),
    requestId: text(row, "requestId", where),
    value: integer(row, "value", where),
    context: vectorOf(list(row, "context", where), where),
    contextOwn: row.own === null ? null : dotOf(row.own as DotRow, where),
    begin: instant(integer(row, "at", where)),
    final: boolean(row, "final", where),
  });
}

function endOf(row: Parsed["row"], where: string, history: History, epochs: Set<number>): void {
  const operation = history.operations[integer(row, "end", where)];
  if (operation?.outcome !== "open") throw badFile(`${where}: operation ${String(row.end)} is not under way`);
  operation.end = instant(integer(row, "at", where));
  operation.outcome = enumerated(row, "outcome", outcomes, where);
  operation.status = integer(row, "status", where);
  operation.version = vectorOf(list(row, "version", where), where);
  operation.own = row.own === null ? null : dotOf(row.own as DotRow, where);
  operation.coordinator = integer(row, "coordinator", where);
  // Files of earlier versions do not say.
  operation.attempts = row.attempts === undefined ? 0 : integer(row, "attempts", where);
  operation.fallbackAcks = list(row, "fallbackAcks", where).map(Number);
  operation.siblings = list(row, "siblings", where).map((one) => shownOf(object(one, where), where));
  const epoch = integer(row, "epoch", where);
  if (epoch > 0) epochs.add(epoch);
}

function shownOf(row: Parsed["row"], where: string): Shown {
  return {
    requestId: text(row, "requestId", where),
    dots: list(row, "dots", where).map((dot) => dotOf(dot as DotRow, where)),
    tombstone: boolean(row, "tombstone", where),
    value: integer(row, "value", where),
  };
}
