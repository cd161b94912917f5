#include "base/json.h"

#include <gtest/gtest.h>

namespace sockdoc {
namespace {

TEST(Json, NestsAndSeparates) {
  Json json;
  json.begin_object()
      .field("a", 1)
      .key("b")
      .begin_array()
      .value(true)
      .value("x")
      .end_array()
      .field("c", 2.5)
      .end_object();
  EXPECT_EQ(json.text(), R"({"a":1,"b":[true,"x"],"c":2.5})");
}

TEST(Json, EscapesWhatJsonForbids) {
  Json json;
  json.value(std::string_view("q\" b\\ n\n \x01 \x7f", 12));
  EXPECT_EQ(json.text(), "\"q\\\" b\\\\ n\\u000a \\u0001 \\u007f\"");
}

TEST(Json, ReplacesBytesThatAreNotUtf8) {
  Json json;
  json.value("ok \xc3\xa9 cut \xc3 overlong \xc0\xaf surrogate \xed\xa0\x80");
  EXPECT_EQ(json.text(),
            "\"ok \xc3\xa9 cut \xef\xbf\xbd overlong \xef\xbf\xbd\xef\xbf\xbd surrogate "
            "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
}

TEST(Json, KeepsAll64Bits) {
  Json json;
  json.begin_array()
      .value(std::uint64_t{18446744073709551615u})
      .value(std::int64_t{-9223372036854775807 - 1})
      .end_array();
  EXPECT_EQ(json.text(), "[18446744073709551615,-9223372036854775808]");
}

}  // namespace
}  // namespace sockdoc
