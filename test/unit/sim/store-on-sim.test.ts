/** The store suites on the simulated disk. */
import { objectBufferConformance } from "../../conformance/object-buffer.ts";
import { storeConformance } from "../../conformance/store.ts";
import { SimHost } from "../../support/engine-host.ts";

storeConformance(() => new SimHost(), 100);
objectBufferConformance(() => new SimHost());
