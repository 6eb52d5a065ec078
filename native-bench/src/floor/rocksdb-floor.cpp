// ringtail-rocksdb-floor: the same stream of keys, kinds and values on RocksDB alone, in one thread of one process: no
// network, no versions, no merging. With `--copies 3` each put goes to three databases and each get reads three, which
// is the engine's work for one operation of a cluster with N = 3. Writes reach the log and are not synced (`buffered`).
//
// The thread does one operation at a time, so in an open loop an operation that is due while another is done waits:
// that is its response time, and no fault of the generator.
#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/table.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <memory>

#include "base/fail.h"
#include "base/hash.h"
#include "client/key-space.h"
#include "floor/sample-record.h"
#include "lab/arrivals.h"
#include "lab/loops.h"
#include "lab/options.h"
#include "lab/output.h"
#include "lab/priority.h"

namespace ringtail {

namespace {

constexpr const char* about = "ringtail-rocksdb-floor: the bench's keys and values on RocksDB alone";
// The engine's settings in src/io/rocks-store.ts.
constexpr size_t memtableBytes = 64 * 1024 * 1024;
constexpr size_t blockCacheBytes = 256 * 1024 * 1024;
constexpr int openFilesMax = 1'000;

rocksdb::Slice sliceOf(const Buffer& bytes) {
  return rocksdb::Slice(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

void check(const rocksdb::Status& status) {
  if (!status.ok()) fail(storageFailed, status.ToString());
}

// All databases of one run, in a directory that goes with them.
class Copies {
 public:
  Copies(const std::string& directory, uint32_t count) {
    options_.create_if_missing = true;
    options_.compression = rocksdb::kNoCompression;
    options_.write_buffer_size = memtableBytes;
    options_.max_open_files = openFilesMax;
    rocksdb::BlockBasedTableOptions table;
    table.block_cache = rocksdb::NewLRUCache(blockCacheBytes);
    options_.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
    for (uint32_t i = 0; i < count; i += 1) {
      paths_.push_back(directory + "/copy" + std::to_string(i + 1));
      rocksdb::DB* database = nullptr;
      check(rocksdb::DB::Open(options_, paths_.back(), &database));
      databases_.emplace_back(database);
    }
  }

  ~Copies() {
    databases_.clear();
    for (const std::string& path : paths_) rocksdb::DestroyDB(path, options_);
  }

  void put(const Buffer& key, const Buffer& record) {
    for (const auto& database : databases_) check(database->Put(writeOptions_, sliceOf(key), sliceOf(record)));
  }

  void get(const Buffer& key) {
    for (const auto& database : databases_) {
      rocksdb::Status status = database->Get(readOptions_, database->DefaultColumnFamily(), sliceOf(key), &found_);
      if (!status.IsNotFound()) check(status);
      found_.Reset();
    }
  }

 private:
  rocksdb::Options options_;
  rocksdb::ReadOptions readOptions_;
  rocksdb::WriteOptions writeOptions_;
  rocksdb::PinnableSlice found_;
  std::vector<std::string> paths_;
  std::vector<std::unique_ptr<rocksdb::DB>> databases_;
};

// Kind 0x10, the key's hash, the full key: the disk key of src/storage/keys.ts.
Buffer diskKeyOf(const KeySpace& keySpace, uint32_t index) {
  Buffer full = fullKeyOf(keySpace.bucket(), keySpace.key(index));
  Hash64 hash = murmur3(Bytes(full), 0);
  constexpr size_t fullKeyAt = 9;
  Buffer key(fullKeyAt + full.size());
  key[0] = 0x10;
  writeBe32(&key[1], hash.high);
  writeBe32(&key[5], hash.low);
  std::copy(full.begin(), full.end(), key.begin() + fullKeyAt);
  return key;
}

class FloorRun {
 public:
  FloorRun(const Options& options, Copies& copies)
      : options_(options),
        copies_(copies),
        root_(options.plan.seed),
        keySpace_(options.workload.bucket, options.workload.keys, options.workload.keyBytes,
                  options.workload.valueBytes, root_.fork("values")),
        choice_(options.workload.distribution, root_.fork("keys"), options.workload.keys),
        kinds_(root_.fork("kinds")) {
    for (uint32_t i = 0; i < recordsKept; i += 1) records_.push_back(sealedRecord(keySpace_.value(i), 1));
  }

  LoadReport load() {
    LoadReport report;
    if (options_.load == LoadMode::never) return report;
    for (uint32_t key = 0; key < keySpace_.count(); key += 1) {
      copies_.put(diskKeyOf(keySpace_, key), records_[key % recordsKept]);
    }
    report.isDone = true;
    report.written = keySpace_.count();
    return report;
  }

  UsageBetween measure(Recorder& recorder, Instant start) {
    Watch watch(recorder);
    Poller poller;
    Arrivals arrivals(options_.plan.isPoisson, std::max(1U, options_.plan.rate), root_.fork("arrivals"), start);
    for (Instant now = clockNow(); now < recorder.to; now = clockNow()) {
      watch.look(now);
      Instant intended = options_.plan.isOpenLoop ? arrivals.next() : now;
      if (intended >= recorder.to) break;
      if (intended > now) {
        poller.wait(std::min(intended, watch.next()), options_.plan.pacing);
        continue;
      }
      if (options_.plan.isOpenLoop) arrivals.advance();
      operate(recorder, intended, now);
    }
    for (Instant now = clockNow(); now < recorder.to; now = clockNow()) poller.wait(recorder.to, Pacing::nap);
    watch.look(clockNow());
    return watch.end(clockNow());
  }

 private:
  static constexpr uint32_t recordsKept = 16;

  void operate(Recorder& recorder, Instant intended, Instant now) {
    uint32_t key = choice_.next();
    bool isGet = kinds_.below(100) < options_.workload.readPercent;
    recorder.sent(intended, now, false);
    Buffer diskKey = diskKeyOf(keySpace_, key);
    if (isGet) {
      copies_.get(diskKey);
    } else {
      values_ += 1;
      copies_.put(diskKey, records_[values_ % recordsKept]);
    }
    recorder.answered(isGet, intended, now, clockNow());
  }

  const Options& options_;
  Copies& copies_;
  Rng root_;
  KeySpace keySpace_;
  KeyChoice choice_;
  Rng kinds_;
  std::vector<Buffer> records_;
  uint32_t values_ = 0;
};

std::string freshDirectory() {
  std::string path = (std::filesystem::temp_directory_path() / "ringtail-rocksdb-floor-XXXXXX").string();
  if (mkdtemp(path.data()) == nullptr) fail(storageFailed, "cannot make a directory like " + path);
  return path;
}

int64_t wallMs() {
  timespec at{};
  clock_gettime(CLOCK_REALTIME, &at);
  return int64_t{at.tv_sec} * 1'000 + at.tv_nsec / 1'000'000;
}

int run(const Options& options) {
  std::string directory = options.directory.empty() ? freshDirectory() : options.directory;
  std::unique_ptr<HistogramLog> log;
  if (!options.histogramLog.empty()) log = std::make_unique<HistogramLog>(options.histogramLog);
  int status = 0;
  {
    Copies copies(directory, options.copies);
    FloorRun floor(options, copies);
    Machine machine = thisMachine();
    LoadReport load = floor.load();
    Instant start = clockNow();
    Instant from = start + options.plan.warmUpUs;
    int64_t startedMs = wallMs() + options.plan.warmUpUs / 1'000;
    Recorder recorder(from, from + options.plan.durationUs, options.plan.isOpenLoop, log.get());
    UsageBetween usage = floor.measure(recorder, start);
    if (log != nullptr) log->save(from, startedMs, "RocksDB floor, workload " + options.workload.name);
    ClusterFacts facts{
        "RocksDB in one thread, no network", 0, 0, 0, options.copies, options.copies, options.copies, "buffered"};
    status = printResult(
        options, RunParts{options.workload, options.plan, recorder, usage, load, machine, facts, startedMs, 0, true});
  }
  if (options.directory.empty()) std::remove(directory.c_str());
  return status;
}

}  // namespace

}  // namespace ringtail

int main(int count, char** words) {
  using namespace ringtail;
  Options options = readOptions(count, words, about, true);
  // One thread: one operation at a time.
  options.plan.clients = 1;
  if (options.priority == Priority::high && !raisePriority()) {
    std::fprintf(stderr, "native-bench: --priority high is not allowed here; going on without\n");
  }
  return run(options);
}
