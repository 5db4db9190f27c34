#include "common/object_store/xml.h"

#include <charconv>
#include <cstdint>

namespace millrace {
namespace {

constexpr int kDepthMax = 32;
constexpr std::size_t kElementsMax = 1'000'000;
constexpr std::string_view kSpace = " \t\r\n";

void AppendUtf8(std::uint32_t code, std::string& out) {
  const auto tail = [&](int shift) { out.push_back(static_cast<char>(0x80 | ((code >> shift) & 0x3f))); };
  if (code < 0x80) {
    out.push_back(static_cast<char>(code));
  } else if (code < 0x800) {
    out.push_back(static_cast<char>(0xc0 | (code >> 6)));
    tail(0);
  } else if (code < 0x10000) {
    out.push_back(static_cast<char>(0xe0 | (code >> 12)));
    tail(6);
    tail(0);
  } else {
    out.push_back(static_cast<char>(0xf0 | (code >> 18)));
    tail(12);
    tail(6);
    tail(0);
  }
}

bool AppendEntity(std::string_view name, std::string& out) {
  struct Named {
    std::string_view name;
    char c;
  };
  for (const Named& named : {Named{"lt", '<'}, {"gt", '>'}, {"amp", '&'}, {"quot", '"'}, {"apos", '\''}}) {
    if (named.name != name) continue;
    out.push_back(named.c);
    return true;
  }
  if (!name.starts_with('#')) return false;
  name.remove_prefix(1);
  const int base = name.starts_with('x') ? 16 : 10;
  if (base == 16) name.remove_prefix(1);
  std::uint32_t code = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), code, base);
  if (error != std::errc() || end != name.data() + name.size() || code == 0 || code > 0x10ffff) return false;
  AppendUtf8(code, out);
  return true;
}

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  absl::StatusOr<XmlElement> Parse() {
    MR_RETURN_IF_ERROR(SkipMisc());
    XmlElement root;
    MR_RETURN_IF_ERROR(Element(root, 1));
    MR_RETURN_IF_ERROR(SkipMisc());
    if (at_ != text_.size()) return Bad("something stands behind the end");
    return root;
  }

 private:
  absl::Status Bad(std::string_view why) const { return InvalidArgument("no good XML at byte ", at_, ": ", why); }
  bool Take(std::string_view word) {
    if (text_.substr(at_, word.size()) != word) return false;
    at_ += word.size();
    return true;
  }
  absl::Status SkipThrough(std::string_view end) {
    const std::size_t found = text_.find(end, at_);
    if (found == std::string_view::npos) return Bad(Concat("'", end, "' is missing"));
    at_ = found + end.size();
    return absl::OkStatus();
  }
  void SkipSpace() { at_ = std::min(text_.find_first_not_of(kSpace, at_), text_.size()); }

  // What may stand before and behind the root.
  absl::Status SkipMisc() {
    while (true) {
      SkipSpace();
      if (Take("<?")) {
        MR_RETURN_IF_ERROR(SkipThrough("?>"));
      } else if (Take("<!--")) {
        MR_RETURN_IF_ERROR(SkipThrough("-->"));
      } else if (Take("\xef\xbb\xbf")) {
      } else {
        return absl::OkStatus();
      }
    }
  }

  std::string_view Name() {
    const std::size_t end = std::min(text_.find_first_of(" \t\r\n/><=", at_), text_.size());
    const std::string_view name = text_.substr(at_, end - at_);
    at_ = end;
    return name;
  }

  // From '<' to '>'. `empty`: it ended with "/>".
  absl::Status OpenTag(XmlElement& element, bool& empty) {
    if (!Take("<")) return Bad("'<' was expected");
    std::string_view name = Name();
    if (name.empty() || name.front() == '!' || name.front() == '?') return Bad("this is no element");
    if (const std::size_t colon = name.find(':'); colon != std::string_view::npos) name.remove_prefix(colon + 1);
    element.name = name;
    while (true) {
      SkipSpace();
      if (Take("/>")) {
        empty = true;
        return absl::OkStatus();
      }
      if (Take(">")) return absl::OkStatus();
      if (Name().empty()) return Bad("a tag does not end");
      SkipSpace();
      if (!Take("=")) return Bad("an attribute has no value");
      SkipSpace();
      const char quote = at_ < text_.size() ? text_[at_] : '\0';
      if (quote != '"' && quote != '\'') return Bad("an attribute's value has no quotes");
      ++at_;
      MR_RETURN_IF_ERROR(SkipThrough(std::string_view(&quote, 1)));
    }
  }

  absl::Status Element(XmlElement& element, int depth) {
    if (depth > kDepthMax) return Bad("it is nested too deeply");
    if (++elements_ > kElementsMax) return Bad("it has too many elements");
    bool empty = false;
    MR_RETURN_IF_ERROR(OpenTag(element, empty));
    if (empty) return absl::OkStatus();
    while (true) {
      if (at_ >= text_.size()) return Bad(Concat("<", element.name, "> does not end"));
      if (Take("</")) return EndTag(element);
      if (Take("<!--")) {
        MR_RETURN_IF_ERROR(SkipThrough("-->"));
      } else if (Take("<![CDATA[")) {
        const std::size_t begin = at_;
        MR_RETURN_IF_ERROR(SkipThrough("]]>"));
        element.text.append(text_.substr(begin, at_ - 3 - begin));
      } else if (Take("<?")) {
        MR_RETURN_IF_ERROR(SkipThrough("?>"));
      } else if (text_[at_] == '<') {
        MR_RETURN_IF_ERROR(Element(element.children.emplace_back(), depth + 1));
      } else {
        MR_RETURN_IF_ERROR(Text(element.text));
      }
    }
  }

  absl::Status EndTag(XmlElement& element) {
    std::string_view name = Name();
    if (const std::size_t colon = name.find(':'); colon != std::string_view::npos) name.remove_prefix(colon + 1);
    SkipSpace();
    if (name != element.name || !Take(">")) return Bad(Concat("<", element.name, "> is not ended where it must be"));
    if (!element.children.empty()) {
      element.text.erase(0, element.text.find_first_not_of(kSpace));
      element.text.erase(element.text.find_last_not_of(kSpace) + 1);
    }
    return absl::OkStatus();
  }

  absl::Status Text(std::string& out) {
    while (at_ < text_.size() && text_[at_] != '<') {
      if (text_[at_] != '&') {
        out.push_back(text_[at_++]);
        continue;
      }
      const std::size_t end = text_.find(';', at_);
      if (end == std::string_view::npos || !AppendEntity(text_.substr(at_ + 1, end - at_ - 1), out))
        return Bad("an entity is unknown");
      at_ = end + 1;
    }
    return absl::OkStatus();
  }

  const std::string_view text_;
  std::size_t at_ = 0;
  std::size_t elements_ = 0;
};

}  // namespace

std::string XmlElement::Text(std::string_view child) const {
  for (const XmlElement& element : children) {
    if (element.name == child) return element.text;
  }
  return {};
}

std::vector<const XmlElement*> XmlElement::Children(std::string_view child) const {
  std::vector<const XmlElement*> found;
  for (const XmlElement& element : children) {
    if (element.name == child) found.push_back(&element);
  }
  return found;
}

absl::StatusOr<XmlElement> ParseXml(std::string_view text) { return Parser(text).Parse(); }

std::string EscapeXml(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '&':
        out += "&amp;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out.push_back(c);
    }
  }
  return out;
}

}  // namespace millrace
