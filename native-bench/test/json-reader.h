// Reads the test vectors: just enough JSON, for files that this project wrote itself. What is not as expected ends the
// test program.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace ringtail {

class Json {
 public:
  static Json parseFile(const std::string& path);

  // Of an array.
  const std::vector<Json>& items() const { return items_; }
  // Of an object; ends the program if it has none of that name.
  const Json& operator[](const char* name) const;
  bool isNull() const { return kind_ == Kind::null; }
  const std::string& text() const { return text_; }
  double number() const;
  uint32_t u32() const { return static_cast<uint32_t>(number()); }

 private:
  enum class Kind { null, other, number, text, array, object };
  friend class JsonParser;

  Kind kind_ = Kind::null;
  std::string text_;
  std::vector<Json> items_;
  std::vector<std::string> names_;
};

}  // namespace ringtail
