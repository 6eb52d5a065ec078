/** The store suite on the simulated disk. */
import { storeConformance } from "../../conformance/store.ts";
import { SimHost } from "../../support/engine-host.ts";

storeConformance(() => new SimHost(), 100);
