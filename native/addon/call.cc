#include "addon/call.h"

namespace sockdoc {
namespace {

class JsonWorker : public Napi::AsyncWorker {
 public:
  JsonWorker(Napi::Env env, std::function<std::string()> work)
      : AsyncWorker(env), deferred_(Napi::Promise::Deferred::New(env)), work_(std::move(work)) {}

  Napi::Value promise() { return deferred_.Promise(); }

 protected:
  void Execute() override { text_ = work_(); }
  void OnOK() override { deferred_.Resolve(Napi::String::New(Env(), text_)); }
  void OnError(const Napi::Error& error) override { deferred_.Reject(error.Value()); }

 private:
  Napi::Promise::Deferred deferred_;
  std::function<std::string()> work_;
  std::string text_;
};

}  // namespace

Napi::Value promise_of(Napi::Env env, std::function<std::string()> work) {
  auto* worker = new JsonWorker(env, std::move(work));  // deletes itself when done
  const Napi::Value promise = worker->promise();
  worker->Queue();
  return promise;
}

std::string string_field(const Napi::Object& object, const char* name) {
  const Napi::Value value = object.Get(name);
  return value.IsString() ? value.As<Napi::String>().Utf8Value() : std::string();
}

bool bool_field(const Napi::Object& object, const char* name) { return object.Get(name).ToBoolean(); }

std::vector<std::string> strings_field(const Napi::Object& object, const char* name) {
  std::vector<std::string> texts;
  const Napi::Value value = object.Get(name);
  if (!value.IsArray()) return texts;
  const auto array = value.As<Napi::Array>();
  for (std::uint32_t i = 0; i < array.Length(); ++i) texts.push_back(array.Get(i).ToString().Utf8Value());
  return texts;
}

std::vector<int> integers_field(const Napi::Object& object, const char* name) {
  std::vector<int> numbers;
  for (const std::int64_t number : numbers_field(object, name)) numbers.push_back(static_cast<int>(number));
  return numbers;
}

std::vector<std::int64_t> numbers_field(const Napi::Object& object, const char* name) {
  std::vector<std::int64_t> numbers;
  const Napi::Value value = object.Get(name);
  if (!value.IsArray()) return numbers;
  const auto array = value.As<Napi::Array>();
  for (std::uint32_t i = 0; i < array.Length(); ++i) numbers.push_back(array.Get(i).ToNumber().Int64Value());
  return numbers;
}

}  // namespace sockdoc
