/** The suite of the store with a log on RocksDB and files. */
import { loggedStoreConformance } from "../../conformance/logged-store.ts";
import { RocksHost } from "../../support/engine-host.ts";

loggedStoreConformance(() => new RocksHost(), 4);
