// The self-test: the C++ codec, hashes, rings, draws and histograms against vectors. Those of the protocol are the
// project's own, in test/vectors; the others were written by the TypeScript sources (make-vectors.mjs).
//
//     self-test <test/vectors> <native-bench/test/vectors>
#include <cmath>
#include <cstdio>

#include "base/hash.h"
#include "base/rng.h"
#include "base/zlib-stored.h"
#include "client/contexts.h"
#include "client/key-space.h"
#include "client/request-table.h"
#include "json-reader.h"
#include "lab/arrivals.h"
#include "lab/histogram.h"
#include "lab/key-choice.h"
#include "ring/preference-lists.h"
#include "ring/ring.h"
#include "wire/frame.h"
#include "wire/messages.h"
#include "wire/record.h"

namespace ringtail {

namespace {

int checks = 0;
int failures = 0;

void expect(bool ok, const std::string& what) {
  checks += 1;
  if (ok) return;
  failures += 1;
  std::printf("FAILED: %s\n", what.c_str());
}

Buffer fromHex(const std::string& text) {
  Buffer bytes;
  for (size_t at = 0; at + 2 <= text.size(); at += 2) {
    bytes.push_back(static_cast<uint8_t>(std::stoul(text.substr(at, 2), nullptr, 16)));
  }
  return bytes;
}

std::string toHex(Bytes bytes) {
  std::string text;
  for (size_t i = 0; i < bytes.size; i += 1) {
    char digits[4];
    std::snprintf(digits, sizeof digits, "%02x", bytes.data[i]);
    text += digits;
  }
  return text;
}

std::string hashText(Hash64 hash) {
  char text[32];
  std::snprintf(text, sizeof text, "%08x%08x", hash.high, hash.low);
  return text;
}

// Reads the body as this message and writes it again: the same bytes, or the message is not understood in full.
template <class One>
bool survives(Bytes body) {
  One message;
  if (!message.read(body)) return false;
  Buffer out(message.sizeBound());
  uint8_t* end = message.write(out.data());
  return body == Bytes(out.data(), static_cast<size_t>(end - out.data()));
}

bool survivesAs(const std::string& message, const Json& frame, Bytes body) {
  if (frame["status"].u32() != 0 && message == "ErrorReply") {
    // The fields that a client has no use for are passed over.
    ErrorReply reply;
    return reply.read(body) && reply.message.text() == "no such thing" && reply.epoch == 9;
  }
  if (message == "Hello") return survives<Hello>(body);
  if (message == "GetRequest") return survives<GetRequest>(body);
  if (message == "GetReply") return survives<GetReply>(body);
  if (message == "PutRequest") return survives<PutRequest>(body);
  if (message == "PutReply") return survives<PutReply>(body);
  if (message == "FetchRingRequest") return survives<FetchRingRequest>(body);
  if (message == "FetchRingReply") return survives<FetchRingReply>(body);
  if (message == "ReplicaReadRequest") return survives<ReplicaReadRequest>(body);
  if (message == "ReplicaWriteRequest") return survives<ReplicaWriteRequest>(body);
  if (message == "ReplicaReadReply") return survives<ReplicaReadReply>(body);
  if (message == "ReplicaWriteReply") return survives<ReplicaWriteReply>(body);
  return true;
}

void testFrames(const Json& frames) {
  int known = 0;
  for (const Json& vector : frames.items()) {
    const std::string& what = vector["what"].text();
    Buffer bytes = fromHex(vector["bytes"].text());
    Frame frame;
    size_t total = 0;
    expect(readFrame(Bytes(bytes), frame, total) == FrameFound::whole && total == bytes.size(), "frame: " + what);
    bool isSame = frame.type == vector["type"].u32() && frame.status == vector["status"].u32() &&
                  frame.id == vector["frameId"].u32();
    expect(isSame, "frame header: " + what);
    uint8_t header[frameHeaderBytes];
    writeFrameHeader(header, header + bytes.size(), frame.type, frame.status, frame.id);
    expect(std::memcmp(header, bytes.data(), sizeof header) == 0, "frame header written: " + what);
    for (size_t cut = 0; cut < bytes.size(); cut += 1) {
      expect(readFrame(Bytes(bytes.data(), cut), frame, total) == FrameFound::incomplete, "frame cut off: " + what);
    }
    readFrame(Bytes(bytes), frame, total);
    if (vector["message"].isNull()) continue;
    known += 1;
    expect(survivesAs(vector["message"].text(), vector, frame.body), "message: " + what);
  }
  expect(known > 10, "the frame vectors hold messages");
  const uint8_t tooShort[4] = {0, 0, 0, 5};
  const uint8_t tooLong[4] = {0xff, 0xff, 0xff, 0xff};
  Frame frame;
  size_t total = 0;
  expect(readFrame(Bytes(tooShort, 4), frame, total) == FrameFound::malformed, "a frame too short to be one");
  expect(readFrame(Bytes(tooLong, 4), frame, total) == FrameFound::malformed, "a frame beyond the limit");
}

// No prefix or mutation of a message makes the reader run out of its bytes; the sanitizer build sees it if one does.
void testHostileMessages(const Json& messages) {
  for (const char* name : {"GetReply", "PutReply", "GetRequest", "PutRequest"}) {
    Buffer bytes = fromHex(messages[name].text());
    for (size_t cut = 0; cut < bytes.size(); cut += 1) {
      Buffer part(bytes.begin(), bytes.begin() + static_cast<long>(cut));
      GetReply got;
      PutRequest put;
      got.read(Bytes(part));
      put.read(Bytes(part));
      countSiblings(Bytes(part));
      Buffer changed = bytes;
      changed[cut] ^= 0xff;
      got.read(Bytes(changed));
      put.read(Bytes(changed));
      RecordFacts facts;
      readRecord(Bytes(changed), facts);
    }
  }
  const uint8_t endless[] = {0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f};
  GetReply got;
  expect(!got.read(Bytes(endless, sizeof endless)), "a length beyond the message is refused");
}

void testHashes(const Json& murmur, const Json& keys) {
  for (const Json& vector : murmur.items()) {
    Hash64 hash = murmur3(Bytes(vector["text"].text()), vector["seed"].u32());
    expect(hashText(hash) == vector["hash"].text(), "murmur3 of \"" + vector["text"].text() + "\"");
  }
  for (const Json& vector : keys.items()) {
    Buffer full = fullKeyOf(Bytes(vector["bucket"].text()), Bytes(vector["key"].text()));
    expect(toHex(Bytes(full)) == vector["fullKey"].text(), "full key of " + vector["key"].text());
    expect(hashText(murmur3(Bytes(full), 0)) == vector["hash"].text(), "hash of " + vector["key"].text());
  }
}

void testContexts(const Json& contexts) {
  for (const Json& vector : contexts.items()) {
    Buffer bytes = fromHex(vector["context"].text());
    expect(fastestOf(Bytes(bytes)) == vector["fastest"].u32(), "a context's fastest node");
    uint64_t seen = 0;
    const auto& words = vector["words"].items();
    for (size_t i = 0; i < words.size(); i += 3) seen += static_cast<uint32_t>(static_cast<int64_t>(words[i].number()));
    expect(seenBy(Bytes(bytes)) == seen, "what a context has seen");
  }
  Contexts known(2);
  Buffer older = fromHex(contexts.items()[1]["context"].text());
  Buffer newer = older;
  newer[16] += 1;
  known.learn(1, Bytes(newer));
  known.learn(1, Bytes(older));
  known.learn(1, Bytes());
  expect(known.get(1) == Bytes(newer) && known.get(0).empty(), "the newest context of a key is kept");
}

void testRecords(const Json& records) {
  for (const Json& vector : records.items()) {
    Buffer sealed = fromHex(vector["sealed"].text());
    Bytes body(sealed.data() + 8, sealed.size() - 8);
    expect(countSiblings(body) == vector["siblings"].u32(), "siblings: " + vector["what"].text());
    RecordFacts facts;
    expect(readRecord(body, facts) && facts.siblings == vector["siblings"].u32(), "record: " + vector["what"].text());
  }
}

void testRandomNumbers(const Json& vectors) {
  for (const Json& vector : vectors.items()) {
    Rng rng(vector["seed"].u32());
    Rng fork = rng.fork("values");
    for (const Json& word : vector["words"].items()) expect(rng.u32() == word.u32(), "a random word");
    for (const Json& draw : vector["below"].items()) {
      auto limit = static_cast<uint64_t>(draw["limit"].number());
      expect(rng.below(limit) == draw["value"].u32(), "a bounded draw");
    }
    for (const Json& draw : vector["fractions"].items()) expect(rng.fraction() == draw.number(), "a random fraction");
    for (const Json& word : vector["fork"].items()) expect(fork.u32() == word.u32(), "a fork's word");
  }
}

void testKeySpaces(const Json& vectors) {
  for (const Json& vector : vectors.items()) {
    KeySpace space("bench", vector["count"].u32(), vector["keyBytes"].u32(), 5, Rng(1).fork("values"));
    for (const Json& key : vector["keys"].items()) {
      uint32_t index = key["index"].u32();
      expect(space.key(index).text() == key["key"].text(), "key " + key["key"].text());
      expect(space.hashHigh(index) == key["hashHigh"].u32(), "hash of key " + key["key"].text());
    }
    for (const Json& value : vector["values"].items()) {
      expect(toHex(space.value(value["number"].u32())) == value["value"].text(), "a value");
    }
  }
}

void testKeyChoices(const Json& vectors) {
  for (const Json& vector : vectors.items()) {
    const std::string& name = vector["distribution"].text();
    Distribution distribution = name == "uniform" ? Distribution::uniform : Distribution::zipfian;
    KeyChoice choice(distribution, Rng(7).fork("keys"), vector["keys"].u32());
    for (const Json& key : vector["drawn"].items()) {
      expect(choice.next() == key.u32(), name + " of " + vector["keys"].text() + " keys");
    }
  }
}

void testArrivals(const Json& vectors) {
  for (const Json& vector : vectors.items()) {
    Arrivals arrivals(vector["kind"].text() == "poisson", 3000, Rng(1).fork("arrivals"), 1'000'000);
    for (const Json& at : vector["at"].items()) {
      // Two libraries' logarithms may differ in the last bit, and so a floor by one.
      expect(std::abs(static_cast<double>(arrivals.next()) - at.number()) <= 1, vector["kind"].text() + " arrival");
      arrivals.advance();
    }
  }
}

void testRings(const Json& vectors) {
  for (const Json& vector : vectors.items()) {
    Buffer bytes = fromHex(vector["ring"].text());
    Ring ring;
    std::string why;
    expect(ring.read(Bytes(bytes), why), "a ring is read: " + why);
    uint32_t n = vector["n"].u32();
    bool hasPolicies = ring.policyOf("bench").n == n && ring.policyOf("other").n == 1;
    expect(ring.epoch() == 7 && hasPolicies, "a ring's epoch and policies");
    expect(ring.member(1) != nullptr && ring.member(1)->address == "127.0.0.1:7401", "a member's address");
    for (const Json& one : vector["partitionOf"].items()) {
      expect(ring.partitionOf(one["high"].u32()) == one["partition"].u32(), "the partition of a hash");
    }
    PreferenceLists lists(ring, n);
    const auto& expected = vector["lists"].items();
    for (uint32_t p = 0; p < ring.partitions(); p += 1) {
      bool isSame = expected[p].items().size() == lists.length();
      for (size_t i = 0; isSame && i < lists.length(); i += 1) isSame = lists.of(p)[i] == expected[p].items()[i].u32();
      expect(isSame, "preference list of partition " + std::to_string(p));
    }
    bytes.resize(bytes.size() - 3);
    expect(!ring.read(Bytes(bytes), why), "a ring that is cut off is refused");
  }
}

void testHistograms(const Json& vectors) {
  for (const Json& vector : vectors.items()) {
    Histogram histogram;
    for (const Json& value : vector["values"].items()) histogram.record(static_cast<int64_t>(value.number()));
    expect(histogram.count() == vector["values"].items().size(), "a histogram's count");
    expect(static_cast<double>(histogram.max()) == vector["max"].number(), "a histogram's maximum");
    for (const Json& one : vector["percentiles"].items()) {
      auto value = static_cast<double>(histogram.valueAt(one["percentile"].number()));
      expect(value == one["value"].number(), "percentile " + one["percentile"].text());
    }
    Buffer encoded = histogram.encode();
    expect(toHex(Bytes(encoded.data() + 40, encoded.size() - 40)) == vector["counts"].text(), "a histogram's counts");
    Histogram twice = histogram;
    twice.add(histogram);
    expect(twice.count() == 2 * histogram.count() && twice.max() == histogram.max(), "histograms are merged");
  }
  Histogram clamped;
  clamped.record(-5);
  clamped.record(70'000'000);
  expect(clamped.valueAt(0) == 1 && clamped.max() == 60'000'000, "values outside count at the nearer end");
}

void testZlib() {
  Buffer packed = zlibStored(Bytes(std::string("Wikipedia")));
  std::string text = toHex(Bytes(packed));
  expect(text.substr(0, 14) == "7801010900f6ff" && text.substr(text.size() - 8) == "11e60398", "a stored block");
  Buffer large(70'000, 1);
  expect(zlibStored(Bytes(large)).size() == large.size() + 2 + 2 * 5 + 4, "two blocks");
}

void testRequestTable() {
  RequestTable table(2);
  table.setTimeout(10'000);
  table.end(table.add(0));
  table.setTimeout(100);
  expect(table.nextTick() == never, "a new timeout does not wait behind what has ended");
  const auto* connection = reinterpret_cast<Connection*>(&table);
  Request& first = table.add(0);
  table.beginAttempt(first);
  first.state = RequestState::sent;
  first.connection = const_cast<Connection*>(connection);
  uint32_t firstFrame = first.frameId;
  expect(table.find(firstFrame, connection) == &first, "a reply finds its request");
  expect(table.find(firstFrame, nullptr) == nullptr, "a reply on another connection finds nothing");
  table.beginAttempt(first);
  expect(table.find(firstFrame, connection) == nullptr, "a reply to an attempt that was given up finds nothing");
  Request& second = table.add(10);
  expect(table.isFull() && table.size() == 2, "the table is full");
  expect(table.nextTick() == 50 && table.nextSlow(49) == nullptr, "nobody is slow before half of the time");
  expect(table.nextSlow(50) == nullptr, "only first attempts can be slow");
  table.end(second);
  expect(table.nextExpired(100) == &first && table.nextExpired(200) == nullptr, "what has ended does not expire");
}

int run(const std::string& shared, const std::string& own) {
  testFrames(Json::parseFile(shared + "/frames.json"));
  testHostileMessages(Json::parseFile(shared + "/messages.json"));
  testHashes(Json::parseFile(shared + "/murmur3-x86-128.json"), Json::parseFile(shared + "/key-hashes.json"));
  testContexts(Json::parseFile(shared + "/contexts.json"));
  testRecords(Json::parseFile(shared + "/records.json"));
  Json vectors = Json::parseFile(own + "/native.json");
  testRandomNumbers(vectors["randomNumbers"]);
  testKeySpaces(vectors["keySpaces"]);
  testKeyChoices(vectors["keyChoices"]);
  testArrivals(vectors["arrivals"]);
  testRings(vectors["rings"]);
  testHistograms(vectors["histograms"]);
  testZlib();
  testRequestTable();
  std::printf("%d checks, %d failed\n", checks, failures);
  return failures == 0 ? 0 : 1;
}

}  // namespace

}  // namespace ringtail

int main(int count, char** words) {
  if (count != 3) {
    std::fprintf(stderr, "usage: self-test <test/vectors> <native-bench/test/vectors>\n");
    return 2;
  }
  return ringtail::run(words[1], words[2]);
}
