// `--priority high`: on a machine that the generator shares with what it measures, a generator that waits for a CPU is
// late, and a late generator measures itself. Real-time scheduling makes it as if it had a CPU of its own when it needs
// it.
#pragma once

namespace ringtail {

// False: the kernel does not allow it, and nothing has changed.
bool raisePriority();

}  // namespace ringtail
