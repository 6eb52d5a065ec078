/**
 * The part of `rocksdb` (the alias of @salto-io/rocksdb, see package.json) that rocks-store.ts calls. The package's own
 * types leave out the underscored methods, which are the ones without per-operation checks and conversions.
 */
declare module "rocksdb" {
  class RocksDB {
    constructor(location: string);
    open(options: RocksDB.OpenOptions, done: RocksDB.Done): void;
    close(done: RocksDB.Done): void;
    getProperty(name: string): string;
    _get(key: Uint8Array, options: RocksDB.GetOptions, done: (error: Error | null, value?: Uint8Array) => void): void;
    _chainedBatch(): RocksDB.Batch;
    _iterator(options: RocksDB.IteratorOptions): RocksDB.Iterator;
  }

  namespace RocksDB {
    type Done = (error: Error | null | undefined) => void;

    interface OpenOptions {
      readonly createIfMissing: boolean;
      readonly compression: boolean;
      readonly cacheSize: number;
      readonly writeBufferSize: number;
      readonly maxOpenFiles: number;
    }

    interface GetOptions {
      readonly asBuffer: boolean;
      readonly fillCache: boolean;
    }

    interface IteratorOptions {
      readonly gte: Uint8Array;
      readonly lt: Uint8Array;
      readonly limit: number;
      readonly highWaterMark: number;
      readonly fillCache: boolean;
      readonly keys: boolean;
      readonly values: boolean;
      readonly keyAsBuffer: boolean;
      readonly valueAsBuffer: boolean;
    }

    class Batch {
      _put(key: Uint8Array, value: Uint8Array): void;
      _del(key: Uint8Array): void;
      _clear(): void;
      _write(options: { readonly sync: boolean }, done: Done): void;
    }

    class Iterator {
      nextPage(done: (error: Error | null | undefined, rows?: [Uint8Array, Uint8Array][]) => void): void;
      _end(done: Done): void;
    }
  }

  export = RocksDB;
}
