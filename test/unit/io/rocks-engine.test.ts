/** The engine suite on RocksDB. */
import { engineConformance } from "../../conformance/engine.ts";
import { RocksHost } from "../../support/engine-host.ts";

engineConformance(() => new RocksHost());
