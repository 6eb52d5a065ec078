/**
 * The order of the test files: those that take longest first, so that no process is left with a long one at the end while
 * the others have nothing to do. Vitest goes by what earlier runs took, which a fresh clone does not know.
 */
import { BaseSequencer, type TestSpecification } from "vitest/node";

/** Of folders and files, the longest first; what is not here comes last. */
const longest = [
  "test/e2e/",
  "test/canaries",
  "test/sim.",
  "test/unit/sim/",
  "test/model",
  "test/sweep",
  "test/unit/lab/",
];

function rank({ moduleId }: TestSpecification): number {
  const found = longest.findIndex((part) => moduleId.includes(`/${part}`));
  return found < 0 ? longest.length : found;
}

export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    return (await super.sort(files)).sort((a, b) => rank(a) - rank(b));
  }
}
