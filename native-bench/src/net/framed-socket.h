// FramedSocket: frames over one non-blocking TCP socket. Frames are encoded in place into one buffer that is written
// once per turn, and handed on where they lie in the one they were read into.
#pragma once

#include <cstdint>
#include <string>

#include "base/bytes.h"
#include "base/clock.h"
#include "net/poller.h"
#include "wire/frame.h"

namespace ringtail {

class FramedSocket;

class SocketEvents {
 public:
  virtual ~SocketEvents() = default;
  // The socket is connected. Not for one that was accepted.
  virtual void onConnected(FramedSocket& socket) = 0;
  // `now` is when the bytes were read.
  virtual void onFrame(Instant now, FramedSocket& socket, const Frame& frame) = 0;
  // The last event, and never after `close`. The socket may be destroyed in a later turn.
  virtual void onLost(FramedSocket& socket, const std::string& reason) = 0;
};

class FramedSocket final : public Pollable {
 public:
  // Takes over `fd`.
  FramedSocket(Poller& poller, SocketEvents& events, int fd, bool isConnected);
  ~FramedSocket() override;
  FramedSocket(const FramedSocket&) = delete;
  FramedSocket& operator=(const FramedSocket&) = delete;

  bool isClosed() const { return fd_ < 0; }

  // Queues a frame, to be written when the turn ends.
  template <class Message>
  void send(uint8_t type, uint8_t status, uint32_t id, const Message& message) {
    uint8_t* start = room(frameHeaderBytes + message.sizeBound());
    queue(start, message.write(start + frameHeaderBytes), type, status, id);
  }
  void sendEmpty(uint8_t type, uint8_t status, uint32_t id) {
    uint8_t* start = room(frameHeaderBytes);
    queue(start, start + frameHeaderBytes, type, status, id);
  }

  void close();

  void onEvents(uint32_t events) override;
  void onTurnEnd() override;

 private:
  // Memory for a frame of so many bytes, and the end of writing one there.
  uint8_t* room(size_t bytes);
  void queue(uint8_t* start, const uint8_t* end, uint8_t type, uint8_t status, uint32_t id);
  void onDialled();
  void readSome();
  void deliver(Instant now);
  void flush();
  void lose(const std::string& reason);

  Poller& poller_;
  SocketEvents& events_;
  int fd_;
  bool isConnected_;
  bool isTurnEndWanted_ = false;
  bool isBlocked_ = false;
  // Bytes in_[0..have_) were read and are not delivered.
  Buffer in_;
  size_t have_ = 0;
  // Bytes out_[sent_..queued_) are to be written.
  Buffer out_;
  size_t sent_ = 0;
  size_t queued_ = 0;
};

}  // namespace ringtail
