/** Vitest's own report, closed by one line that tools can read: `N passed, N failed, N skipped`. */
import type { TestModule } from "vitest/node";
import { DefaultReporter } from "vitest/node";

export class ClosingLineReporter extends DefaultReporter {
  override onTestRunEnd(...[modules, errors, reason]: Parameters<DefaultReporter["onTestRunEnd"]>): void {
    super.onTestRunEnd(modules, errors, reason);
    let passed = 0;
    let failed = errors.length;
    let skipped = 0;
    for (const module of modules as readonly TestModule[]) {
      // A file that could not even be loaded has no tests: count it, or it would vanish.
      if (module.state() === "failed" && module.children.size === 0) failed += 1;
      for (const test of module.children.allTests()) {
        const { state } = test.result();
        if (state === "passed") passed += 1;
        else if (state === "failed") failed += 1;
        else skipped += 1;
      }
    }
    console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`);
  }
}
