// One read and at most one write per turn. Nothing here blocks, and a lost socket is told about once.
#include "net/framed-socket.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace ringtail {

namespace {

constexpr size_t readBytes = 256 * 1024;
constexpr size_t writeBytes = 64 * 1024;

}  // namespace

FramedSocket::FramedSocket(Poller& poller, SocketEvents& events, int fd, bool isConnected)
    : poller_(poller), events_(events), fd_(fd), isConnected_(isConnected), in_(readBytes), out_(writeBytes) {
  poller_.add(fd_, isConnected ? EPOLLIN : EPOLLOUT, this);
}

FramedSocket::~FramedSocket() { close(); }

void FramedSocket::close() {
  if (fd_ < 0) return;
  poller_.remove(fd_, this);
  ::close(fd_);
  fd_ = -1;
}

void FramedSocket::lose(const std::string& reason) {
  if (fd_ < 0) return;
  close();
  events_.onLost(*this, reason);
}

uint8_t* FramedSocket::room(size_t bytes) {
  if (queued_ + bytes > out_.size() && sent_ > 0) {
    std::memmove(out_.data(), out_.data() + sent_, queued_ - sent_);
    queued_ -= sent_;
    sent_ = 0;
  }
  if (queued_ + bytes > out_.size()) out_.resize(std::max(queued_ + bytes, 2 * out_.size()));
  return out_.data() + queued_;
}

void FramedSocket::queue(uint8_t* start, const uint8_t* end, uint8_t type, uint8_t status, uint32_t id) {
  writeFrameHeader(start, end, type, status, id);
  queued_ += static_cast<size_t>(end - start);
  if (isTurnEndWanted_ || fd_ < 0) return;
  isTurnEndWanted_ = true;
  poller_.wantTurnEnd(this);
}

void FramedSocket::onTurnEnd() {
  isTurnEndWanted_ = false;
  if (isConnected_ && !isBlocked_) flush();
}

void FramedSocket::flush() {
  while (sent_ < queued_) {
    ssize_t count = ::send(fd_, out_.data() + sent_, queued_ - sent_, MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno != EAGAIN) {
      lose(std::strerror(errno));
      return;
    }
    if (count < 0) break;
    sent_ += static_cast<size_t>(count);
  }
  if (sent_ == queued_) sent_ = queued_ = 0;
  bool isBlocked = sent_ < queued_;
  if (isBlocked == isBlocked_) return;
  isBlocked_ = isBlocked;
  poller_.change(fd_, isBlocked ? EPOLLIN | EPOLLOUT : EPOLLIN, this);
}

void FramedSocket::onEvents(uint32_t events) {
  if (fd_ < 0) return;
  if (!isConnected_) {
    onDialled();
    return;
  }
  if ((events & EPOLLOUT) != 0) flush();
  if (fd_ >= 0 && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) readSome();
}

void FramedSocket::onDialled() {
  int error = 0;
  socklen_t size = sizeof error;
  getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &size);
  if (error != 0) {
    lose(std::strerror(error));
    return;
  }
  isConnected_ = true;
  poller_.change(fd_, EPOLLIN, this);
  events_.onConnected(*this);
}

void FramedSocket::readSome() {
  ssize_t count = recv(fd_, in_.data() + have_, in_.size() - have_, 0);
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (count <= 0) {
    lose(count == 0 ? "the other side closed the connection" : std::strerror(errno));
    return;
  }
  have_ += static_cast<size_t>(count);
  deliver(clockNow());
}

void FramedSocket::deliver(Instant now) {
  size_t at = 0;
  for (;;) {
    Frame frame;
    size_t total = 0;
    FrameFound found = readFrame(Bytes(in_.data() + at, have_ - at), frame, total);
    if (found == FrameFound::malformed) {
      lose("the other side sent a frame of " + std::to_string(total) + " bytes");
      return;
    }
    if (found == FrameFound::incomplete) {
      if (at > 0) std::memmove(in_.data(), in_.data() + at, have_ - at);
      have_ -= at;
      if (total > in_.size()) in_.resize(total);
      return;
    }
    events_.onFrame(now, *this, frame);
    if (fd_ < 0) return;
    at += total;
  }
}

}  // namespace ringtail
