// The hello, and what concerns the connection itself; every other frame goes to the client.
#include "client/connection.h"

#include <unistd.h>

namespace ringtail {

Connection::Connection(Poller& poller, ConnectionEvents& events, int fd, const std::string& address, uint32_t number,
                       const Buffer& clusterId)
    : events_(events),
      address_(address),
      number_(number),
      clusterId_(clusterId),
      dialledAt_(clockNow()),
      socket_(poller, *this, fd, false) {}

void Connection::end(Status code, const std::string& reason) {
  if (state_ == State::closed) return;
  state_ = State::closed;
  socket_.close();
  events_.onDown(*this, code, reason);
}

void Connection::onConnected(FramedSocket&) {
  Hello hello;
  hello.versionMin = protocolVersion;
  hello.versionMax = protocolVersion;
  hello.clusterId = Bytes(clusterId_);
  hello.role = Role::client;
  const std::string software = "ringtail-native-bench";
  hello.software = Bytes(software);
  hello.pid = static_cast<uint32_t>(getpid());
  send(FrameType::hello, 0, hello);
}

void Connection::onLost(FramedSocket&, const std::string& reason) { end(connectionLost, address_ + ": " + reason); }

void Connection::onFrame(Instant now, FramedSocket&, const Frame& frame) {
  switch (frame.type) {
    case FrameType::hello | FrameType::replyBit:
      onHello(frame);
      return;
    case FrameType::ping:
      socket_.sendEmpty(FrameType::ping | FrameType::replyBit, statusOk, frame.id);
      return;
    case FrameType::goAway:
      if (state_ != State::ready) return;
      state_ = State::draining;
      events_.onDraining(*this);
      return;
    case FrameType::goAway | FrameType::replyBit:
      onRefused(frame);
      return;
    default:
      events_.onReply(now, *this, frame);
  }
}

void Connection::onHello(const Frame& frame) {
  if (state_ != State::dialling) return;
  if (frame.status != statusOk) {
    onRefused(frame);
    return;
  }
  Hello hello;
  if (!hello.read(frame.body)) {
    end(protocolMismatch, address_ + " answered the hello with bytes that are none");
  } else if (hello.versionMin > protocolVersion || hello.versionMax < protocolVersion) {
    end(protocolMismatch, address_ + " does not speak protocol version 1");
  } else if (number_ != 0 && hello.number != number_) {
    end(connectionLost, address_ + " is node " + std::to_string(hello.number) + " now");
  } else {
    number_ = hello.number;
    state_ = State::ready;
    events_.onReady(*this);
  }
}

void Connection::onRefused(const Frame& frame) {
  ErrorReply reply;
  reply.read(frame.body);
  end(frame.status, address_ + " refused the connection: " + reply.message.text());
}

}  // namespace ringtail
