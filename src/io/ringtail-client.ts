/** RingtailClient: the client on the real system. */
import { Client } from "../client/client.ts";
import { type ClientOptions, checkOptions, clientNames } from "../client/options.ts";
import { parseAddress } from "../node/config.ts";
import { SystemClientEnvironment } from "./client-environment.ts";

/** A client of one cluster, over TCP. Keeps the process alive until it is closed. */
export class RingtailClient extends Client {
  /**
   * Connects to a cluster: asks one seed node after the other for the ring. Rejects with `INVALID_ARGUMENT` (options),
   * `CONNECTION_LOST` (no seed node could be reached or has a ring; the message says why, for each), `WRONG_CLUSTER` or
   * `PROTOCOL_MISMATCH`.
   */
  static async connect(options: ClientOptions): Promise<RingtailClient> {
    checkOptions("the options", options ?? null, clientNames);
    if (Array.isArray(options.seedNodes)) for (const one of options.seedNodes) parseAddress("seedNodes", String(one));
    const client = new RingtailClient(new SystemClientEnvironment(), options);
    await client.opened;
    return client;
  }
}
