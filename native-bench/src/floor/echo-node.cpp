// ringtail-echo-node: one node of the loopback floor. It speaks Ringtail's frames and fans each get and put out as a
// coordinator does, to the two other owners, and answers the client at the second answer, its own included; but it
// stores nothing, versions nothing and checks nothing. What a request costs here, the kernel and the protocol's bytes
// cost.
//
//     ringtail-echo-node --number 1 --nodes 3 --base-port 9401 --value-bytes 1024
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "base/fail.h"
#include "floor/sample-record.h"
#include "floor/sample-ring.h"
#include "net/address.h"
#include "net/framed-socket.h"
#include "wire/messages.h"

namespace ringtail {

namespace {

constexpr int64_t redialUs = 50'000;
constexpr uint32_t opsMax = 65'536;

struct EchoOptions {
  uint32_t number = 1;
  uint32_t nodes = 3;
  uint32_t basePort = 0;
  uint32_t valueBytes = 1'024;
};

// A get or put under way; its place is the frame id of what the other owners are asked.
struct Op {
  FramedSocket* session = nullptr;
  uint32_t clientFrame = 0;
  bool isGet = false;
  bool isAnswered = false;
  uint32_t awaited = 0;
  Instant begun = 0;
};

class EchoNode final : public SocketEvents, public Pollable {
 public:
  explicit EchoNode(const EchoOptions& options);

  [[noreturn]] void run();

  void onConnected(FramedSocket& socket) override;
  void onFrame(Instant now, FramedSocket& socket, const Frame& frame) override;
  void onLost(FramedSocket& socket, const std::string& reason) override;
  // Of the listener.
  void onEvents(uint32_t events) override;

 private:
  void dialPeers();
  void hello(FramedSocket& socket, uint8_t type, uint32_t id);
  void begin(Instant now, FramedSocket& session, const Frame& frame);
  template <class Request>
  uint32_t askPeers(uint8_t type, uint32_t place, const Request& request);
  void onReplicaReply(Instant now, const Frame& frame);
  void answer(Instant now, const Op& op, Bytes sealed);
  void serve(FramedSocket& socket, const Frame& frame);

  EchoOptions options_;
  Poller poller_;
  int listener_;
  Buffer ring_;
  Buffer record_;
  Buffer context_;
  std::vector<std::unique_ptr<FramedSocket>> peers_;
  std::vector<std::unique_ptr<FramedSocket>> sessions_;
  std::vector<Op> ops_;
  std::vector<uint32_t> freeOps_;
};

EchoNode::EchoNode(const EchoOptions& options)
    : options_(options),
      ring_(sampleRing(options.nodes, static_cast<uint16_t>(options.basePort))),
      context_(sampleContext(options.number, sampleEpoch)),
      peers_(options.nodes),
      ops_(opsMax) {
  Buffer value(options.valueBytes, 'v');
  record_ = sealedRecord(Bytes(value), options.number);
  for (uint32_t place = opsMax; place > 0; place -= 1) freeOps_.push_back(place - 1);
  std::string why;
  listener_ = listenOn(static_cast<uint16_t>(options.basePort + options.number - 1), why);
  if (listener_ < 0) fail(invalidArgument, why);
  poller_.add(listener_, EPOLLIN, this);
}

void EchoNode::run() {
  std::printf("listening\n");
  std::fflush(stdout);
  Instant redialAt = 0;
  for (;;) {
    Instant now = clockNow();
    if (now >= redialAt) {
      auto isClosed = [](const auto& session) { return session->isClosed(); };
      sessions_.erase(std::remove_if(sessions_.begin(), sessions_.end(), isClosed), sessions_.end());
      dialPeers();
      redialAt = now + redialUs;
    }
    poller_.endTurn();
    poller_.wait(redialAt, Pacing::nap);
  }
}

// The node dials every other one, and asks on those connections; on those it accepts, it answers.
void EchoNode::dialPeers() {
  for (uint32_t i = 0; i < options_.nodes; i += 1) {
    bool isMissing = peers_[i] == nullptr || peers_[i]->isClosed();
    if (!isMissing || i + 1 == options_.number) continue;
    std::string why;
    int fd = dial("127.0.0.1:" + std::to_string(options_.basePort + i), why);
    if (fd >= 0) peers_[i] = std::make_unique<FramedSocket>(poller_, *this, fd, false);
  }
}

void EchoNode::onEvents(uint32_t) {
  for (int fd = acceptOne(listener_); fd >= 0; fd = acceptOne(listener_)) {
    sessions_.push_back(std::make_unique<FramedSocket>(poller_, *this, fd, true));
  }
}

void EchoNode::onConnected(FramedSocket& socket) { hello(socket, FrameType::hello, 0); }

void EchoNode::onLost(FramedSocket& socket, const std::string&) {
  for (Op& op : ops_) {
    if (op.session == &socket) op.session = nullptr;
  }
}

void EchoNode::hello(FramedSocket& socket, uint8_t type, uint32_t id) {
  const uint8_t clusterId[16] = {0xec, 0x40};
  uint8_t nodeId[16] = {};
  nodeId[15] = static_cast<uint8_t>(options_.number);
  Hello message;
  message.versionMin = protocolVersion;
  message.versionMax = protocolVersion;
  message.clusterId = Bytes(clusterId, sizeof clusterId);
  message.nodeId = Bytes(nodeId, sizeof nodeId);
  message.role = Role::node;
  message.number = options_.number;
  message.epoch = sampleEpoch;
  socket.send(type, statusOk, id, message);
}

void EchoNode::onFrame(Instant now, FramedSocket& socket, const Frame& frame) {
  switch (frame.type) {
    case FrameType::get:
    case FrameType::put:
      begin(now, socket, frame);
      return;
    case FrameType::replicaRead | FrameType::replyBit:
    case FrameType::replicaWrite | FrameType::replyBit:
      onReplicaReply(now, frame);
      return;
    default:
      serve(socket, frame);
  }
}

// What one node answers by itself.
void EchoNode::serve(FramedSocket& socket, const Frame& frame) {
  auto type = static_cast<uint8_t>(frame.type | FrameType::replyBit);
  switch (frame.type) {
    case FrameType::hello:
      hello(socket, type, frame.id);
      return;
    case FrameType::fetchRing: {
      FetchRingRequest request;
      request.read(frame.body);
      FetchRingReply reply;
      if (request.epoch < sampleEpoch) reply.ring = Bytes(ring_);
      reply.epoch = sampleEpoch;
      socket.send(type, statusOk, frame.id, reply);
      return;
    }
    case FrameType::replicaRead: {
      ReplicaReadRequest request;
      if (!request.read(frame.body)) return;
      ReplicaReadReply reply;
      reply.record = Bytes(record_);
      reply.epoch = sampleEpoch;
      socket.send(type, statusOk, frame.id, reply);
      return;
    }
    case FrameType::replicaWrite: {
      ReplicaWriteRequest request;
      if (!request.read(frame.body)) return;
      ReplicaWriteReply reply;
      reply.epoch = sampleEpoch;
      socket.send(type, statusOk, frame.id, reply);
      return;
    }
    default:
      return;
  }
}

void EchoNode::begin(Instant now, FramedSocket& session, const Frame& frame) {
  GetRequest get;
  PutRequest put;
  bool isGet = frame.type == FrameType::get;
  if (!(isGet ? get.read(frame.body) : put.read(frame.body))) return;
  if (freeOps_.empty()) fail(overloaded, "too many operations at once");
  uint32_t place = freeOps_.back();
  freeOps_.pop_back();
  Op& op = ops_[place];
  op = Op{&session, frame.id, isGet, false, 0, now};
  if (isGet) {
    ReplicaReadRequest request;
    request.bucket = get.bucket;
    request.key = get.key;
    request.epoch = sampleEpoch;
    request.timeoutUs = get.timeoutUs;
    op.awaited = askPeers(FrameType::replicaRead, place, request);
  } else {
    ReplicaWriteRequest request;
    request.bucket = put.bucket;
    request.key = put.key;
    // As large as that of the put's own value, which has been read into this node and is not copied once more.
    request.record = Bytes(record_);
    request.epoch = sampleEpoch;
    request.timeoutUs = put.timeoutUs;
    request.durability = put.durability;
    op.awaited = askPeers(FrameType::replicaWrite, place, request);
  }
  if (op.awaited == 0) freeOps_.push_back(place);
}

// Asks the other owners; returns how many there are.
template <class Request>
uint32_t EchoNode::askPeers(uint8_t type, uint32_t place, const Request& request) {
  uint32_t asked = 0;
  for (const auto& peer : peers_) {
    if (peer == nullptr || peer->isClosed()) continue;
    peer->send(type, statusOk, place, request);
    asked += 1;
  }
  return asked;
}

void EchoNode::onReplicaReply(Instant now, const Frame& frame) {
  if (frame.id >= opsMax) return;
  Op& op = ops_[frame.id];
  if (op.awaited == 0) return;
  ReplicaReadReply read;
  ReplicaWriteReply written;
  if (!(op.isGet ? read.read(frame.body) : written.read(frame.body))) return;
  op.awaited -= 1;
  // Its own answer was the first, this is the second: the quorum.
  if (!op.isAnswered) answer(now, op, read.record);
  op.isAnswered = true;
  if (op.awaited == 0) freeOps_.push_back(frame.id);
}

void EchoNode::answer(Instant now, const Op& op, Bytes sealed) {
  if (op.session == nullptr || op.session->isClosed()) return;
  uint8_t acks[2 * 4];
  writeLe32(acks, options_.number);
  writeLe32(acks + 4, options_.number % options_.nodes + 1);
  auto elapsedUs = static_cast<uint32_t>(now - op.begun);
  if (op.isGet) {
    GetReply reply;
    if (sealed.size > recordHeaderBytes) {
      reply.record = Bytes(sealed.data + recordHeaderBytes, sealed.size - recordHeaderBytes);
    }
    reply.context = Bytes(context_);
    reply.epoch = sampleEpoch;
    reply.acks = Bytes(acks, sizeof acks);
    reply.coordinator = options_.number;
    reply.elapsedUs = elapsedUs;
    op.session->send(FrameType::get | FrameType::replyBit, statusOk, op.clientFrame, reply);
    return;
  }
  PutReply reply;
  reply.context = Bytes(context_);
  reply.epoch = sampleEpoch;
  reply.acks = Bytes(acks, sizeof acks);
  reply.coordinator = options_.number;
  reply.elapsedUs = elapsedUs;
  op.session->send(FrameType::put | FrameType::replyBit, statusOk, op.clientFrame, reply);
}

EchoOptions readEchoOptions(int count, char** words) {
  EchoOptions options;
  for (int i = 1; i + 1 < count; i += 2) {
    std::string name = words[i];
    auto value = static_cast<uint32_t>(std::strtoul(words[i + 1], nullptr, 10));
    if (name == "--number") {
      options.number = value;
    } else if (name == "--nodes") {
      options.nodes = value;
    } else if (name == "--base-port") {
      options.basePort = value;
    } else if (name == "--value-bytes") {
      options.valueBytes = value;
    } else {
      fail(invalidArgument, "unknown option " + name + "; allowed: --number, --nodes, --base-port, --value-bytes");
    }
  }
  bool isSound = options.nodes == sampleReplicas && options.number >= 1 && options.number <= options.nodes &&
                 options.basePort >= 1'024 && options.basePort + options.nodes <= 65'536;
  if (!isSound) fail(invalidArgument, "--nodes 3, --number 1 to 3, --base-port from 1024");
  return options;
}

}  // namespace

}  // namespace ringtail

int main(int count, char** words) {
  std::signal(SIGPIPE, SIG_IGN);
  ringtail::EchoNode(ringtail::readEchoOptions(count, words)).run();
}
