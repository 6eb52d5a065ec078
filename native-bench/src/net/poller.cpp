// epoll_pwait2 counts nanoseconds (Linux 5.11); before it, ppoll on the epoll set does.
#include "net/poller.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/fail.h"

namespace ringtail {

namespace {

timespec durationOf(int64_t us) {
  timespec duration{};
  duration.tv_sec = static_cast<time_t>(us / 1'000'000);
  duration.tv_nsec = static_cast<long>(us % 1'000'000) * 1'000;
  return duration;
}

constexpr int64_t longestUs = 1'000'000;

}  // namespace

Poller::Poller() : epoll_(epoll_create1(EPOLL_CLOEXEC)) {
  if (epoll_ < 0) fail(invalidArgument, "no epoll set can be made");
  // By default the kernel may let a sleeper oversleep by 50 us.
  prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);
}

Poller::~Poller() { close(epoll_); }

void Poller::add(int fd, uint32_t events, Pollable* pollable) {
  epoll_event event{};
  event.events = events;
  event.data.ptr = pollable;
  if (epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) != 0) fail(invalidArgument, "epoll refuses a socket");
}

void Poller::change(int fd, uint32_t events, Pollable* pollable) {
  epoll_event event{};
  event.events = events;
  event.data.ptr = pollable;
  epoll_ctl(epoll_, EPOLL_CTL_MOD, fd, &event);
}

void Poller::remove(int fd, Pollable* pollable) {
  epoll_ctl(epoll_, EPOLL_CTL_DEL, fd, nullptr);
  std::replace(due_.begin(), due_.end(), pollable, static_cast<Pollable*>(nullptr));
  std::replace(turnEnds_.begin(), turnEnds_.end(), pollable, static_cast<Pollable*>(nullptr));
}

void Poller::endTurn() {
  // By index: writing may find a connection lost, and what follows from that may queue more.
  for (size_t i = 0; i < turnEnds_.size(); i += 1) {
    if (turnEnds_[i] != nullptr) turnEnds_[i]->onTurnEnd();
  }
  turnEnds_.clear();
}

void Poller::wait(Instant until, Pacing pacing) {
  epoll_event events[eventsMax];
  int count = wait(events, until, pacing);
  due_.clear();
  for (int i = 0; i < count; i += 1) due_.push_back(static_cast<Pollable*>(events[i].data.ptr));
  for (int i = 0; i < count; i += 1) {
    if (due_[static_cast<size_t>(i)] != nullptr) due_[static_cast<size_t>(i)]->onEvents(events[i].events);
  }
}

int Poller::wait(void* events, Instant until, Pacing pacing) {
  auto* list = static_cast<epoll_event*>(events);
  int64_t us = std::clamp<int64_t>(until - clockNow(), 0, longestUs);
  if (pacing == Pacing::spin || us == 0) return epoll_wait(epoll_, list, eventsMax, 0);
  if (pacing == Pacing::timer) return epoll_wait(epoll_, list, eventsMax, static_cast<int>((us + 999) / 1'000));
  timespec duration = durationOf(us);
  if (hasPreciseWait_) {
    int count = epoll_pwait2(epoll_, list, eventsMax, &duration, nullptr);
    if (count >= 0 || errno != ENOSYS) return count;
    // Before Linux 5.11. An epoll set can itself be polled, and ppoll has always counted nanoseconds.
    hasPreciseWait_ = false;
  }
  pollfd set{};
  set.fd = epoll_;
  set.events = POLLIN;
  ppoll(&set, 1, &duration, nullptr);
  return epoll_wait(epoll_, list, eventsMax, 0);
}

}  // namespace ringtail
