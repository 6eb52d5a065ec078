/** The store suites on RocksDB. */
import { objectBufferConformance } from "../../conformance/object-buffer.ts";
import { storeConformance } from "../../conformance/store.ts";
import { RocksHost } from "../../support/engine-host.ts";

storeConformance(() => new RocksHost(), 8);
objectBufferConformance(() => new RocksHost());
