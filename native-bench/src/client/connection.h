// Connection: one connection to one node: it says hello, checks who answers, and then carries the frames of many
// requests at once. Which requests those are is the client's business.
#pragma once

#include <cstdint>
#include <string>

#include "net/framed-socket.h"
#include "wire/messages.h"

namespace ringtail {

class Connection;

class ConnectionEvents {
 public:
  virtual ~ConnectionEvents() = default;
  virtual void onReady(Connection& connection) = 0;
  // A reply other than to the hello.
  virtual void onReply(Instant now, Connection& connection, const Frame& frame) = 0;
  // The node asked for no new work; what is under way may end.
  virtual void onDraining(Connection& connection) = 0;
  // Exactly once, and the last event.
  virtual void onDown(Connection& connection, Status code, const std::string& reason) = 0;
};

class Connection final : public SocketEvents {
 public:
  enum class State { dialling, ready, draining, closed };

  // Requests in flight on one connection; a node takes 1,024.
  static constexpr uint32_t placesMax = 512;

  // `number`: the node that should answer; 0: whoever does. `clusterId`: empty for any.
  Connection(Poller& poller, ConnectionEvents& events, int fd, const std::string& address, uint32_t number,
             const Buffer& clusterId);

  const std::string& address() const { return address_; }
  uint32_t number() const { return number_; }
  State state() const { return state_; }
  Instant dialledAt() const { return dialledAt_; }
  bool hasRoom() const { return state_ == State::ready && inFlight < placesMax; }

  template <class Message>
  void send(uint8_t type, uint32_t frameId, const Message& message) {
    socket_.send(type, 0, frameId, message);
  }

  // Ends it; `onDown` follows, inside this call.
  void end(Status code, const std::string& reason);

  void onConnected(FramedSocket& socket) override;
  void onFrame(Instant now, FramedSocket& socket, const Frame& frame) override;
  void onLost(FramedSocket& socket, const std::string& reason) override;

  // Requests sent and not answered.
  uint32_t inFlight = 0;

 private:
  void onHello(const Frame& frame);
  void onRefused(const Frame& frame);

  ConnectionEvents& events_;
  std::string address_;
  uint32_t number_;
  Buffer clusterId_;
  State state_ = State::dialling;
  Instant dialledAt_;
  FramedSocket socket_;
};

}  // namespace ringtail
