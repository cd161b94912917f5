#include "probes/kernel_log/kernel_log.h"

#include <gtest/gtest.h>

namespace sockdoc {
namespace {

TEST(KernelRecord, HasATimeAndAText) {
  const auto record =
      parse_kernel_record("4,812,5140900123,-;TCP: out of memory; really\n SUBSYSTEM=net\n DEVICE=n4\n");
  ASSERT_TRUE(record);
  EXPECT_DOUBLE_EQ(record->at_ms, 5140900.123);
  EXPECT_EQ(record->text, "TCP: out of memory; really");
}

TEST(KernelRecord, ReadsRecordsWithAFurtherField) {
  EXPECT_EQ(parse_kernel_record("6,1,1000,-,caller=T1;text\n")->text, "text");
}

TEST(KernelRecord, UndoesEscapes) {
  EXPECT_EQ(parse_kernel_record("6,1,1000,-;a\\x09b\\x5cc\\x\n")->text, "a\tb\\c\\x");
}

TEST(KernelRecord, LeavesOutWhatProgramsWrote) {
  EXPECT_FALSE(parse_kernel_record("12,813,5140900124,-;nf_conntrack: table full, dropping packet\n"));
  EXPECT_FALSE(parse_kernel_record("30,813,5140900124,-;systemd[1]: Started.\n"));
}

TEST(KernelRecord, RefusesWhatIsMalformed) {
  for (const char* text : {"", ";", "text", "x,1,2,-;t", "6,1;t", "6,1,x,-;t"}) {
    EXPECT_FALSE(parse_kernel_record(text)) << text;
  }
}

}  // namespace
}  // namespace sockdoc
