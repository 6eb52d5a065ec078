/** Collects an engine's answers, in order and by token. */
import type { Instant } from "../../src/base/time.ts";
import type { EngineEvents, Page } from "../../src/storage/engine.ts";

export interface Answer {
  readonly kind: "got" | "written" | "synced" | "scanned";
  readonly token: number;
  readonly error: string | null;
  readonly value: Uint8Array | null;
  readonly page: Page | null;
}

export class EngineRecorder implements EngineEvents {
  readonly answers: Answer[] = [];
  closed = false;

  find(kind: Answer["kind"], token: number): Answer | undefined {
    return this.answers.find((answer) => answer.kind === kind && answer.token === token);
  }

  count(kind: Answer["kind"]): number {
    return this.answers.filter((answer) => answer.kind === kind).length;
  }

  onGot(_now: Instant, token: number, value: Uint8Array | null, error: string | null): void {
    this.answers.push({ kind: "got", token, error, value, page: null });
  }

  onWritten(_now: Instant, token: number, error: string | null): void {
    this.answers.push({ kind: "written", token, error, value: null, page: null });
  }

  onSynced(_now: Instant, token: number, error: string | null): void {
    this.answers.push({ kind: "synced", token, error, value: null, page: null });
  }

  onScanned(_now: Instant, token: number, page: Page | null, error: string | null): void {
    this.answers.push({ kind: "scanned", token, error, value: null, page });
  }

  onClosed(): void {
    this.closed = true;
  }
}
