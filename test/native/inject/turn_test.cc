#include "inject/turn.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/syscall.h>

#include <cerrno>
#include <string>

#include "inject/victim.h"

namespace sockdoc::inject {
namespace {

int sleep_long(int) { return ::sleep(600) == 0 ? 0 : 1; }

int lock_of(pid_t pid) {
  const int folder = ::open(process_folder(pid).c_str(), O_RDONLY | O_DIRECTORY);
  return ::flock(folder, LOCK_EX | LOCK_NB) == 0 ? folder : -1;
}

TEST(Turn, IsWaitedForWhileAnotherHasIt) {
  const Victim target(sleep_long);
  const Victim holder([&](int) { return lock_of(target.pid()) < 0 ? 1 : sleep_long(0); });
  holder.await(SYS_clock_nanosleep);
  Turn turn;
  const Refused refusal = Turn::await(target.pid(), Deadline::in_ms(300), turn);
  ASSERT_TRUE(refusal);
  EXPECT_STREQ(refusal->code, "busy");
  EXPECT_NE(refusal->reason.find(std::to_string(holder.pid())), std::string::npos) << refusal->reason;
}

TEST(Turn, ALockThatWasLeftToAChildKeepsNobodyOut) {
  const Victim target(sleep_long);
  Victim holder([&](int test) {
    if (lock_of(target.pid()) < 0) return 1;
    if (::fork() != 0) return 0;
    char end;
    return static_cast<int>(::read(test, &end, 1));
  });
  ASSERT_EQ(holder.ended(), 0);
  ASSERT_LT(lock_of(target.pid()), 0) << "the child has it";
  Turn turn;
  EXPECT_FALSE(Turn::await(target.pid(), Deadline::in_ms(20'000), turn));
}

}  // namespace
}  // namespace sockdoc::inject
