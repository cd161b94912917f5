#include "addon/connection_table_object.h"

#include <functional>

#include "addon/call.h"
#include "base/procfs.h"

namespace sockdoc {
namespace {

/** Works on a thread of the pool, and hands the rows over without a copy. */
class AnswerWorker : public Napi::AsyncWorker {
 public:
  AnswerWorker(Napi::Env env, std::function<ConnectionsAnswer()> work)
      : AsyncWorker(env), deferred_(Napi::Promise::Deferred::New(env)), work_(std::move(work)) {}

  Napi::Value promise() { return deferred_.Promise(); }

 protected:
  void Execute() override { answer_ = work_(); }
  void OnOK() override {
    auto* rows = new std::string(std::move(answer_.rows));
    Napi::Object object = Napi::Object::New(Env());
    object.Set("head", Napi::String::New(Env(), answer_.head));
    object.Set("rows", Napi::Buffer<char>::NewOrCopy(
                           Env(), rows->data(), rows->size(),
                           [](Napi::Env, char*, std::string* owned) { delete owned; }, rows));
    deferred_.Resolve(object);
  }
  void OnError(const Napi::Error& error) override { deferred_.Reject(error.Value()); }

 private:
  Napi::Promise::Deferred deferred_;
  std::function<ConnectionsAnswer()> work_;
  ConnectionsAnswer answer_;
};

Napi::Value promise_of_answer(Napi::Env env, std::function<ConnectionsAnswer()> work) {
  auto* worker = new AnswerWorker(env, std::move(work));  // deletes itself when done
  const Napi::Value promise = worker->promise();
  worker->Queue();
  return promise;
}

FilterTerm term_of(const Napi::Object& object) {
  const std::string field_name = string_field(object, "field");
  const std::string sign = string_field(object, "operator");
  const auto field = field_named(field_name);
  const auto operation = operator_named(sign);
  if (!field) throw Napi::TypeError::New(object.Env(), "no such field of a filter: " + field_name);
  if (!operation) throw Napi::TypeError::New(object.Env(), "no such operator of a filter: " + sign);
  std::vector<FilterValue> values;
  const auto array = object.Get("values").As<Napi::Array>();
  for (std::uint32_t i = 0; i < array.Length(); ++i) {
    const Napi::Value value = array.Get(i);
    if (value.IsNumber()) {
      values.push_back({value.As<Napi::Number>().DoubleValue(), {}});
    } else {
      values.push_back({std::nullopt, value.ToString().Utf8Value()});
    }
  }
  return FilterTerm(*field, *operation, std::move(values));
}

ConnectionSelection selection_of(const Napi::Object& object) {
  ConnectionSelection selection;
  if (const Napi::Value filter = object.Get("filter"); filter.IsArray()) {
    const auto terms = filter.As<Napi::Array>();
    for (std::uint32_t i = 0; i < terms.Length(); ++i) {
      selection.filter.push_back(term_of(terms.Get(i).As<Napi::Object>()));
    }
  }
  selection.pids = integers_field(object, "pids");
  if (const std::string name = string_field(object, "sort"); !name.empty()) {
    const auto sort = sort_named(name);
    if (!sort) throw Napi::TypeError::New(object.Env(), "no such order of connections: " + name);
    selection.sort = *sort;
  }
  selection.reverse = bool_field(object, "reverse");
  if (const Napi::Value limit = object.Get("limit"); limit.IsNumber()) {
    selection.limit = static_cast<std::size_t>(std::max<std::int64_t>(0, limit.As<Napi::Number>().Int64Value()));
  }
  for (const std::string& cookie : strings_field(object, "keep")) {
    if (const auto number = parse_number<std::uint64_t>(cookie, 16)) selection.keep.push_back(*number);
  }
  selection.row_per_line = bool_field(object, "rowPerLine");
  return selection;
}

Transports transports_of(const Napi::Object& object) {
  Transports transports;
  transports.no_monitor = string_field(object, "noMonitor");
  for (const int pid : integers_field(object, "clients")) transports.clients.insert(pid);
  const auto cookies = strings_field(object, "cookies");
  const auto reasons = strings_field(object, "reasons");
  const auto uids = numbers_field(object, "uids");
  const auto sent = numbers_field(object, "sentBytes");
  const auto received = numbers_field(object, "receivedBytes");
  const std::size_t count = std::min({cookies.size(), reasons.size(), uids.size(), sent.size(), received.size()});
  for (std::size_t i = 0; i < count; ++i) {
    const auto cookie = parse_number<std::uint64_t>(cookies[i], 16);
    if (!cookie) continue;
    Transports::End end{static_cast<std::uint32_t>(uids[i]), reasons[i].empty(), 0, 0, reasons[i]};
    end.sent = static_cast<std::uint64_t>(sent[i]);
    end.received = static_cast<std::uint64_t>(received[i]);
    transports.ends.emplace(*cookie, std::move(end));
  }
  return transports;
}

ConnectionsRequest request_of(const Napi::Object& object) {
  ConnectionsRequest request;
  const auto netns = object.Get("netns").As<Napi::Array>();
  for (std::uint32_t i = 0; i < netns.Length(); ++i) {
    const auto one = netns.Get(i).As<Napi::Object>();
    request.netns.push_back({string_field(one, "path"), string_field(one, "label")});
  }
  request.self_pids = integers_field(object, "selfPids");
  request.processes = bool_field(object, "processes");
  if (const Napi::Value threads = object.Get("threads"); threads.IsNumber()) {
    request.threads = threads.As<Napi::Number>().Uint32Value();
  }
  if (const Napi::Value pairs = object.Get("pairs"); pairs.IsNumber()) {
    request.pairs = pairs.As<Napi::Number>().Uint32Value();
  }
  if (const Napi::Value names = object.Get("containerNames"); names.IsObject()) {
    for (const auto& [id, name] : names.As<Napi::Object>()) {
      request.container_names[id.ToString().Utf8Value()] = static_cast<Napi::Value>(name).ToString().Utf8Value();
    }
  }
  if (const Napi::Value transports = object.Get("transports"); transports.IsObject()) {
    request.transports = transports_of(transports.As<Napi::Object>());
  }
  request.selection = selection_of(object.Get("selection").As<Napi::Object>());
  return request;
}

}  // namespace

Napi::Function ConnectionTableObject::define(Napi::Env env) {
  return DefineClass(
      env, "ConnectionTable",
      {InstanceMethod<&ConnectionTableObject::read>("read"), InstanceMethod<&ConnectionTableObject::select>("select")});
}

Napi::Value ConnectionTableObject::read(const Napi::CallbackInfo& info) {
  return promise_of_answer(info.Env(),
                           [table = table_, request = request_of(info[0].ToObject())] { return table->read(request); });
}

Napi::Value ConnectionTableObject::select(const Napi::CallbackInfo& info) {
  return promise_of_answer(
      info.Env(), [table = table_, selection = selection_of(info[0].ToObject())] { return table->select(selection); });
}

}  // namespace sockdoc
