/** BenchFlags: all flags of `ringtail bench`. */
import type { LoadFlags } from "./bench-options.ts";
import type { OutputFlags } from "./bench-output.ts";
import type { JsonOption } from "./output.ts";

export interface BenchFlags extends LoadFlags, OutputFlags, JsonOption {
  readonly series?: boolean;
  readonly strictVoid?: boolean;
  readonly sweep?: boolean;
  readonly sloMs?: string;
  readonly rateMax?: string;
  readonly against?: string;
  readonly blocks?: string;
}
