/** The store suite on RocksDB. */
import { storeConformance } from "../../conformance/store.ts";
import { RocksHost } from "../../support/engine-host.ts";

storeConformance(() => new RocksHost(), 8);
