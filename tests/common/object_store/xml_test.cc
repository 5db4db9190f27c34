#include "common/object_store/xml.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace millrace {
namespace {

TEST(Xml, GivesElementsAndTheirText) {
  const auto root = ParseXml(
      "\xef\xbb\xbf<?xml version=\"1.0\"?>\n<!-- a list -->\n<s3:List xmlns:s3='http://x/'>\n"
      "  <Key a=\"1\" b='>'>a&amp;b&#x20;&#233;</Key>\n  <Key><![CDATA[<raw>]]></Key><Empty/><Size> 7 </Size>\n"
      "</s3:List >\n");
  ASSERT_TRUE(root.ok()) << root.status();
  EXPECT_EQ(root->name, "List");
  EXPECT_EQ(root->Text("Key"), "a&b \xc3\xa9");
  ASSERT_EQ(root->Children("Key").size(), 2u);
  EXPECT_EQ(root->Children("Key")[1]->text, "<raw>");
  EXPECT_EQ(root->Text("Empty"), "");
  EXPECT_EQ(root->Text("Size"), " 7 ");
  EXPECT_EQ(root->Text("None"), "");
}

TEST(Xml, RefusesWhatIsNotWellFormed) {
  for (const char* text :
       {"", "hello", "<a>", "<a></b>", "<a", "<a><b></a></b>", "<a/>x", "<a>&bomb;</a>", "<a>&lt</a>", "<a x></a>",
        "<a x=1/>", "<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", "<a>&#0;</a>", "<a>&#x110000;</a>", "<a><!-- </a>",
        "<a><![CDATA[</a>", "<>", "</a>", "<?xml"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(ParseXml(text).status())) << text;
  }
}

TEST(Xml, IsBounded) {
  std::string deep;
  for (int i = 0; i < 10'000; ++i) deep += "<a>";
  EXPECT_FALSE(ParseXml(deep).ok());
  EXPECT_FALSE(ParseXml(std::string(1 << 20, '<')).ok());
}

TEST(Xml, EveryPrefixOfGoodTextIsRefusedOrRead) {
  const std::string good = "<?xml version='1.0'?><a b='c'><d>&amp;x</d><!-- n --><e/><![CDATA[z]]></a>";
  ASSERT_TRUE(ParseXml(good).ok());
  for (std::size_t n = 0; n < good.size(); ++n) EXPECT_FALSE(ParseXml(good.substr(0, n)).ok()) << n;
  for (std::size_t n = 0; n < good.size(); ++n) {
    for (const char c : {'\0', '<', '>', '&', '\xff', '"'}) {
      std::string bad = good;
      bad[n] = c;
      (void)ParseXml(bad).ok();
    }
  }
}

TEST(Xml, Escapes) {
  EXPECT_EQ(EscapeXml("\"a<b>&c\""), "&quot;a&lt;b&gt;&amp;c&quot;");
  EXPECT_EQ(ParseXml(Concat("<a>", EscapeXml("\"a<b>&c\""), "</a>"))->text, "\"a<b>&c\"");
}

}  // namespace
}  // namespace millrace
