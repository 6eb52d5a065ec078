// A recursive descent, one function per kind of value. Escapes other than of quotes and backslashes are not in the
// files.
#include "json-reader.h"

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>

namespace ringtail {

namespace {

[[noreturn]] void give(const std::string& what) {
  std::fprintf(stderr, "test vectors: %s\n", what.c_str());
  std::exit(2);
}

}  // namespace

class JsonParser {
 public:
  explicit JsonParser(const std::string& text) : text_(text) {}

  Json value() {
    skipSpace();
    switch (peek()) {
      case '{':
        return list('}', true);
      case '[':
        return list(']', false);
      case '"': {
        Json json;
        json.kind_ = Json::Kind::text;
        json.text_ = string();
        return json;
      }
      default:
        return word();
    }
  }

 private:
  char peek() const {
    if (at_ >= text_.size()) give("the file ends too early");
    return text_[at_];
  }

  void skipSpace() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n')) at_ += 1;
  }

  std::string string() {
    std::string out;
    for (at_ += 1; peek() != '"'; at_ += 1) {
      bool isEscape = peek() == '\\';
      if (isEscape) at_ += 1;
      bool isUnicode = isEscape && peek() == 'u';
      out += isUnicode ? static_cast<char>(std::stoi(text_.substr(at_ + 1, 4), nullptr, 16)) : peek();
      if (isUnicode) at_ += 4;
    }
    at_ += 1;
    return out;
  }

  Json list(char end, bool hasNames) {
    Json json;
    json.kind_ = hasNames ? Json::Kind::object : Json::Kind::array;
    at_ += 1;
    for (skipSpace(); peek() != end; skipSpace()) {
      if (peek() == ',') at_ += 1;
      skipSpace();
      if (hasNames) {
        json.names_.push_back(string());
        skipSpace();
        at_ += 1;  // the colon
      }
      json.items_.push_back(value());
    }
    at_ += 1;
    return json;
  }

  Json word() {
    size_t end = text_.find_first_of(",]} \n\r\t", at_);
    Json json;
    json.text_ = text_.substr(at_, end - at_);
    at_ = end;
    bool isNumber = !json.text_.empty() && (json.text_[0] == '-' || (json.text_[0] >= '0' && json.text_[0] <= '9'));
    json.kind_ = isNumber ? Json::Kind::number : json.text_ == "null" ? Json::Kind::null : Json::Kind::other;
    return json;
  }

  const std::string& text_;
  size_t at_ = 0;
};

Json Json::parseFile(const std::string& path) {
  std::ifstream file(path);
  if (!file) give("cannot read " + path);
  std::stringstream all;
  all << file.rdbuf();
  std::string text = all.str();
  return JsonParser(text).value();
}

const Json& Json::operator[](const char* name) const {
  for (size_t i = 0; i < names_.size(); i += 1) {
    if (names_[i] == name) return items_[i];
  }
  give(std::string("no field ") + name);
}

double Json::number() const {
  if (kind_ != Kind::number) give("not a number: " + text_);
  return std::strtod(text_.c_str(), nullptr);
}

}  // namespace ringtail
