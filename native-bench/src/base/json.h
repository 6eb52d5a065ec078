// Writes one JSON document, two spaces deep, as JSON.stringify(value, null, 2) would.
#pragma once

#include <string>
#include <vector>

namespace ringtail {

class JsonWriter {
 public:
  // Inside an array the name is empty.
  void beginObject(const char* name = "");
  void endObject();
  void beginArray(const char* name);
  void endArray();
  void text(const char* name, const std::string& value);
  // Up to 15 significant digits.
  void number(const char* name, double value);
  void null(const char* name);

  const std::string& document() const { return out_; }

 private:
  void item(const char* name);
  void end(char bracket);
  void quoted(const std::string& value);

  std::string out_;
  // Per open bracket, how many items it has.
  std::vector<int> items_;
};

}  // namespace ringtail
