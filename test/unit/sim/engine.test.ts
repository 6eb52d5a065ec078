/** The engine suite on the simulated disk. */
import { engineConformance } from "../../conformance/engine.ts";
import { SimHost } from "../../support/engine-host.ts";

engineConformance(() => new SimHost());
