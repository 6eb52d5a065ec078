// Real time first, which needs a privilege; else the best niceness there is.
#include "lab/priority.h"

#include <sched.h>
#include <sys/resource.h>

namespace ringtail {

bool raisePriority() {
  sched_param parameters{};
  parameters.sched_priority = 1;
  if (sched_setscheduler(0, SCHED_RR, &parameters) == 0) return true;
  constexpr int mostFavoured = -20;
  return setpriority(PRIO_PROCESS, 0, mostFavoured) == 0;
}

}  // namespace ringtail
