#include <gtest/gtest.h>

#include <atomic>

#include "link.h"

namespace sockdoc {
namespace {

using Hold = StreamReceiver::Hold;

Moved send_text(StreamSender& sender, std::string_view text) {
  return sender.send(std::as_bytes(std::span(text.data(), text.size())));
}

class Holding : public testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(link_.ok()); }

  Link link_;
  StreamSender sender_ = link_.sender();
  StreamReceiver receiver_ = link_.receiver();
};

TEST_F(Holding, KeepsTheSenderFromTheKernelUntilItLetsGo) {
  EXPECT_EQ(send_text(sender_, "before").bytes, 6U);
  ASSERT_TRUE(receiver_.hold_sender());
  EXPECT_EQ(receiver_.sender_held(), Hold::held);
  EXPECT_EQ(receiver_.by_kernel(), 6U);
  EXPECT_EQ(send_text(sender_, "held").error, EBUSY);
  EXPECT_TRUE(sender_.held());
  EXPECT_TRUE(receiver_.hold_finally());
  EXPECT_FALSE(sender_.take_leave());
  EXPECT_FALSE(sender_.send_alone());
  EXPECT_EQ(receiver_.by_kernel(), 6U);
  receiver_.let_sender_go();
  EXPECT_EQ(send_text(sender_, "after").bytes, 5U);
}

TEST_F(Holding, WaitsForACallThatHasBegunAndForThoseThatInterruptIt) {
  ASSERT_TRUE(sender_.enter_kernel());
  ASSERT_TRUE(receiver_.hold_sender());
  EXPECT_EQ(receiver_.sender_held(), Hold::sending);
  EXPECT_FALSE(receiver_.hold_finally());
  EXPECT_EQ(send_text(sender_, "handler").bytes, 7U) << "the call that it interrupted would wait for itself";
  sender_.leave_kernel();
  EXPECT_EQ(receiver_.sender_held(), Hold::held);
  EXPECT_FALSE(sender_.enter_kernel());
}

TEST_F(Holding, IsTakenBackByASenderWhomItTakesTooLong) {
  ASSERT_TRUE(receiver_.hold_sender());
  EXPECT_TRUE(sender_.take_leave());
  EXPECT_EQ(send_text(sender_, "on").bytes, 2U);
  EXPECT_EQ(receiver_.sender_held(), Hold::impossible);
  EXPECT_FALSE(receiver_.hold_finally());
}

TEST_F(Holding, IsOfOneReceiverAtATime) {
  StreamReceiver other = link_.receiver();
  ASSERT_TRUE(receiver_.hold_sender());
  EXPECT_FALSE(other.hold_sender());
  EXPECT_TRUE(receiver_.hold_finally());
  EXPECT_FALSE(other.hold_sender());
  receiver_.let_sender_go();
  EXPECT_TRUE(other.hold_sender());
}

TEST_F(Holding, IsNotForSendersWhoDoNotCount) {
  ASSERT_TRUE(sender_.send_alone());
  ASSERT_TRUE(receiver_.hold_sender());
  EXPECT_EQ(receiver_.sender_held(), Hold::impossible);
  EXPECT_FALSE(receiver_.hold_finally());
  receiver_.let_sender_go();
  sender_.send_alone_no_more();
  ASSERT_TRUE(receiver_.hold_sender());
  EXPECT_EQ(receiver_.sender_held(), Hold::held);
}

/** What is counted when it is held is all that there is: nothing comes until it is let go. */
TEST_F(Holding, SeesEveryByteOfASenderWhoNeverStops) {
  std::atomic<bool> over{false};
  std::thread sending([&] {
    while (!over) {
      if (send_text(sender_, "some bytes of the stream").error == EBUSY) std::this_thread::yield();
    }
  });
  std::uint64_t got = 0;
  const auto take = [&] {
    std::byte into[65536];
    const ssize_t n = ::recv(link_.to(), into, sizeof into, MSG_DONTWAIT);
    if (n > 0) got += static_cast<std::uint64_t>(n);
    return n > 0;
  };
  for (int round = 0; round < 200; round++) {
    ASSERT_TRUE(receiver_.hold_sender());
    while (receiver_.sender_held() != Hold::held) (void)take();
    const std::uint64_t sent = receiver_.by_kernel();
    while (got < sent) (void)take();
    EXPECT_EQ(got, sent);
    EXPECT_FALSE(take());
    EXPECT_TRUE(receiver_.hold_finally());
    EXPECT_EQ(receiver_.by_kernel(), sent);
    receiver_.let_sender_go();
    while (!take()) std::this_thread::yield();
  }
  over = true;
  sending.join();
}

}  // namespace
}  // namespace sockdoc
