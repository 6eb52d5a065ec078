/**
 * StoreQuestions: scans and deletions that parts of a node ask of the one store. Each question gets a token of its own, by
 * which the answer finds the part and the part's own token.
 */
import { Slab } from "../base/slab.ts";
import type { Instant } from "../base/time.ts";
import type {
  DeletedPage,
  DeleteRequest,
  HintPage,
  HintScanRequest,
  RecordPage,
  ScanRequest,
  Store,
} from "../storage/store.ts";

/** A part that asks; answers come outside of every call on the store. */
export interface StoreAsker {
  onScanned?(now: Instant, token: number, page: RecordPage | null, error: string | null): void;
  onHintPage?(now: Instant, token: number, page: HintPage | null, error: string | null): void;
  onDeleted?(now: Instant, token: number, page: DeletedPage | null, error: string | null): void;
  onStoreSynced?(now: Instant, token: number): void;
}

interface Question {
  readonly asker: StoreAsker;
  readonly token: number;
}

const questionsMax = 65_536;
/** Tokens of syncs count down from here: those of writes are not negative. */
const syncToken = -1;

/** One node's questions. */
export class StoreQuestions {
  readonly #store: Store;
  readonly #questions: Slab<Question> = new Slab(questionsMax);

  constructor(store: Store) {
    this.#store = store;
  }

  scanRecords(now: Instant, asker: StoreAsker, request: ScanRequest): void {
    const token = this.#questions.add({ asker, token: request.token });
    this.#store.scanRecords(now, { ...request, token });
  }

  scanHints(now: Instant, asker: StoreAsker, request: HintScanRequest): void {
    const token = this.#questions.add({ asker, token: request.token });
    this.#store.scanHints(now, { ...request, token });
  }

  /** One page at a time is in work: the store asserts it. */
  deleteRange(now: Instant, asker: StoreAsker, request: DeleteRequest): void {
    const token = this.#questions.add({ asker, token: request.token });
    this.#store.deleteRange(now, { ...request, token });
  }

  /** Brings all that was written until now to stable storage. */
  syncAll(now: Instant, asker: StoreAsker, token: number): void {
    this.#store.syncAll(now, syncToken - this.#questions.add({ asker, token }));
  }

  /** Brings all records to the engine's stable storage, with nothing older left in the log. */
  settleLog(now: Instant, asker: StoreAsker, token: number): void {
    this.#store.settleLog(now, syncToken - this.#questions.add({ asker, token }));
  }

  /** Whether a sync that ended was one of these; then its asker is told. */
  onSynced(now: Instant, token: number): boolean {
    if (token > syncToken) return false;
    const question = this.#take(syncToken - token);
    question?.asker.onStoreSynced?.(now, question.token);
    return true;
  }

  onScanned(now: Instant, token: number, page: RecordPage | null, error: string | null): void {
    const question = this.#take(token);
    question?.asker.onScanned?.(now, question.token, page, error);
  }

  onHintPage(now: Instant, token: number, page: HintPage | null, error: string | null): void {
    const question = this.#take(token);
    question?.asker.onHintPage?.(now, question.token, page, error);
  }

  onDeleted(now: Instant, token: number, page: DeletedPage | null, error: string | null): void {
    const question = this.#take(token);
    question?.asker.onDeleted?.(now, question.token, page, error);
  }

  #take(token: number): Question | undefined {
    const question = this.#questions.get(token);
    if (question !== undefined) this.#questions.remove(token);
    return question;
  }
}
