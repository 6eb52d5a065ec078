// One string is built, bracket by bracket; names and commas are `item`'s business.
#include "base/json.h"

#include <cstdio>

namespace ringtail {

void JsonWriter::item(const char* name) {
  if (!items_.empty()) {
    out_ += items_.back() > 0 ? ",\n" : "\n";
    items_.back() += 1;
    out_.append(2 * items_.size(), ' ');
  }
  if (*name == 0) return;
  quoted(name);
  out_ += ": ";
}

void JsonWriter::end(char bracket) {
  bool isEmpty = items_.back() == 0;
  items_.pop_back();
  if (!isEmpty) {
    out_ += "\n";
    out_.append(2 * items_.size(), ' ');
  }
  out_ += bracket;
}

void JsonWriter::beginObject(const char* name) {
  item(name);
  out_ += "{";
  items_.push_back(0);
}

void JsonWriter::endObject() { end('}'); }

void JsonWriter::beginArray(const char* name) {
  item(name);
  out_ += "[";
  items_.push_back(0);
}

void JsonWriter::endArray() { end(']'); }

void JsonWriter::text(const char* name, const std::string& value) {
  item(name);
  quoted(value);
}

void JsonWriter::number(const char* name, double value) {
  item(name);
  char digits[64];
  std::snprintf(digits, sizeof digits, "%.15g", value);
  out_ += digits;
}

void JsonWriter::null(const char* name) {
  item(name);
  out_ += "null";
}

void JsonWriter::quoted(const std::string& value) {
  out_ += '"';
  for (char c : value) {
    if (c == '"' || c == '\\') out_ += '\\';
    if (static_cast<unsigned char>(c) < 0x20) {
      char escaped[8];
      std::snprintf(escaped, sizeof escaped, "\\u%04x", static_cast<unsigned>(c));
      out_ += escaped;
    } else {
      out_ += c;
    }
  }
  out_ += '"';
}

}  // namespace ringtail
