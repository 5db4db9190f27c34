// Just enough XML for what S3 stores answer: elements and their text. Attributes, comments, declarations and
// instructions are passed over; a document type is refused, and with it every entity but the five predefined.
//
//   MR_ASSIGN_OR_RETURN(const XmlElement root, ParseXml(body));
//   root.name == "Error";  root.Text("Code");  for (const XmlElement* c : root.Children("Contents")) …
//
// Values; thread-safe. InvalidArgument when the text is not well formed, nested deeper than 32 or has more than a
// million elements.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/status.h"

namespace millrace {

struct XmlElement {
  std::string name;  // without its namespace prefix
  std::string text;  // of this element alone, white space at its ends removed when it has children
  std::vector<XmlElement> children;

  // The text of the first child of this name; empty when there is none.
  std::string Text(std::string_view child) const;
  std::vector<const XmlElement*> Children(std::string_view child) const;
};

absl::StatusOr<XmlElement> ParseXml(std::string_view text);

// For text between tags.
std::string EscapeXml(std::string_view text);

}  // namespace millrace
