// Bidirectional gRPC streams with a bounded queue to send from, the same shape at both ends. Messages come in one at a
// time: the next is read only when the handler has called its `next`, which is the back-pressure of everything that
// arrives.
//
//   auto stream = ServerStream<In, Out>::Make({.on_message = …, .on_closed = …});
//   return stream->reactor();               // from the service method
//   stream->Send(std::move(message));       // any thread
//   stream->Close(status);                  // any thread, any number of times
//
// Ownership: shared; gRPC holds one reference until the stream is over, then on_closed is called (exactly once, on a
// gRPC thread, never under a lock) and the handlers are dropped. Handlers run on gRPC threads: they post and return. A
// queue that grows past its limit closes the stream with RESOURCE_EXHAUSTED: a peer that does not read is a dead peer.
#pragma once

#include <grpcpp/grpcpp.h>
#include <grpcpp/support/client_callback.h>
#include <grpcpp/support/server_callback.h>

#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <utility>

namespace millrace {

template <class In>
struct StreamHandlers {
  // Takes a message. Must call (or post something that calls) `next` once to get another.
  std::function<void(In message, std::function<void()> next)> on_message;
  std::function<void(const grpc::Status& status)> on_closed;
  // Server side: the client has ended its half. Without this handler the stream then closes with OK; with it, the
  // handler decides.
  std::function<void()> on_end = nullptr;
  std::size_t queue_bytes_max = 256 << 20;
};

namespace internal {

// Messages waiting to be written. Guarded by the stream's mutex.
template <class Out>
class OutQueue {
 public:
  void Push(Out message) {
    bytes_ += message.ByteSizeLong();
    queue_.push_back(std::move(message));
  }
  bool empty() const { return queue_.empty(); }
  std::size_t bytes() const { return bytes_; }
  const Out* front() const { return &queue_.front(); }
  void Pop() {
    bytes_ -= queue_.front().ByteSizeLong();
    queue_.pop_front();
  }
  void Clear() {
    queue_.clear();
    bytes_ = 0;
  }

 private:
  std::deque<Out> queue_;
  std::size_t bytes_ = 0;
};

}  // namespace internal

template <class In, class Out>
class ServerStream : public std::enable_shared_from_this<ServerStream<In, Out>> {
 public:
  using Handlers = StreamHandlers<In>;

  static std::shared_ptr<ServerStream> Make(Handlers handlers) {
    auto stream = std::shared_ptr<ServerStream>(new ServerStream(std::move(handlers)));
    stream->reactor_ = new Reactor(stream);
    return stream;
  }
  // For the service method to return. Reading begins with Start.
  grpc::ServerBidiReactor<In, Out>* reactor() { return reactor_; }
  void Start() { reactor_->StartRead(&incoming_); }

  void Send(Out message) {
    std::lock_guard lock(mutex_);
    if (finishing_) return;
    out_.Push(std::move(message));
    if (out_.bytes() > queue_bytes_max_) {
      CloseLocked(grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED, "the peer does not read what is sent to it"));
    } else if (!writing_) {
      WriteLocked();
    }
  }

  // Ends the stream after what is queued has been written, or at once if `status` is an error.
  void Close(grpc::Status status) {
    std::lock_guard lock(mutex_);
    CloseLocked(std::move(status));
  }

 private:
  class Reactor final : public grpc::ServerBidiReactor<In, Out> {
   public:
    explicit Reactor(std::shared_ptr<ServerStream> stream) : stream_(std::move(stream)) {}
    void OnReadDone(bool ok) override { stream_->ReadDone(ok); }
    void OnWriteDone(bool ok) override { stream_->WriteDone(ok); }
    void OnCancel() override { stream_->Close(grpc::Status::CANCELLED); }
    void OnDone() override {
      auto stream = std::move(stream_);
      delete this;
      stream->Done();
    }

   private:
    std::shared_ptr<ServerStream> stream_;
  };

  explicit ServerStream(Handlers handlers)
      : queue_bytes_max_(handlers.queue_bytes_max), handlers_(std::move(handlers)) {}

  void CloseLocked(grpc::Status status) {
    if (finishing_) return;
    finishing_ = true;
    status_ = std::move(status);
    drop_rest_ = !status_.ok();
    if (!writing_) FinishLocked();
  }
  void FinishLocked() {
    if (finished_) return;
    finished_ = true;
    reactor_->Finish(status_);
  }
  void WriteLocked() {
    writing_ = true;
    reactor_->StartWrite(out_.front());
  }
  void ReadDone(bool ok) {
    if (!ok && handlers_.on_end) {
      handlers_.on_end();
      return;
    }
    if (!ok) {
      Close(grpc::Status::OK);  // the client has ended its half or is gone
      return;
    }
    handlers_.on_message(std::move(incoming_), [self = this->shared_from_this()] {
      std::lock_guard lock(self->mutex_);
      if (self->finished_) return;
      self->incoming_ = In();
      self->reactor_->StartRead(&self->incoming_);
    });
  }
  void WriteDone(bool ok) {
    std::lock_guard lock(mutex_);
    writing_ = false;
    out_.Pop();
    if (!ok || drop_rest_) out_.Clear();
    if (!ok && !finishing_) {
      finishing_ = true;
      status_ = grpc::Status::CANCELLED;
    }
    if (!out_.empty()) {
      WriteLocked();
    } else if (finishing_) {
      FinishLocked();
    }
  }
  void Done() {
    const auto handlers = std::exchange(handlers_, {});
    if (handlers.on_closed) handlers.on_closed(status_);
  }

  const std::size_t queue_bytes_max_;
  Handlers handlers_;
  Reactor* reactor_ = nullptr;  // owned by gRPC; valid until finished_
  In incoming_;
  std::mutex mutex_;
  internal::OutQueue<Out> out_;
  grpc::Status status_;
  bool writing_ = false;
  bool finishing_ = false;
  bool finished_ = false;
  bool drop_rest_ = false;
};

// The client's end. `Start` takes the stub's async method: stub->async()->Runner(&context, reactor).
template <class In, class Out>
class ClientStream : public std::enable_shared_from_this<ClientStream<In, Out>> {
 public:
  using Handlers = StreamHandlers<In>;

  static std::shared_ptr<ClientStream> Make(Handlers handlers) {
    return std::shared_ptr<ClientStream>(new ClientStream(std::move(handlers)));
  }
  grpc::ClientContext& context() { return context_; }

  template <class Method>
  void Start(Method&& method) {
    reactor_ = new Reactor(this->shared_from_this());
    method(&context_, static_cast<grpc::ClientBidiReactor<Out, In>*>(reactor_));
    reactor_->AddHold();
    started_ = true;
    reactor_->StartRead(&incoming_);
    reactor_->StartCall();
  }

  void Send(Out message) {
    std::lock_guard lock(mutex_);
    if (closed_ || !started_) return;
    out_.Push(std::move(message));
    if (out_.bytes() > queue_bytes_max_) {
      context_.TryCancel();
    } else if (!writing_) {
      writing_ = true;
      reactor_->StartWrite(out_.front());
    }
  }

  // Bytes waiting to be written.
  std::size_t queued_bytes() {
    std::lock_guard lock(mutex_);
    return out_.bytes();
  }

  void Close() { context_.TryCancel(); }

 private:
  class Reactor final : public grpc::ClientBidiReactor<Out, In> {
   public:
    explicit Reactor(std::shared_ptr<ClientStream> stream) : stream_(std::move(stream)) {}
    void OnReadDone(bool ok) override { stream_->ReadDone(ok); }
    void OnWriteDone(bool ok) override { stream_->WriteDone(ok); }
    void OnDone(const grpc::Status& status) override {
      auto stream = std::move(stream_);
      delete this;
      stream->Done(status);
    }

   private:
    std::shared_ptr<ClientStream> stream_;
  };

  explicit ClientStream(Handlers handlers)
      : queue_bytes_max_(handlers.queue_bytes_max), handlers_(std::move(handlers)) {}

  void ReadDone(bool ok) {
    if (!ok) {
      EndCall();
      return;
    }
    handlers_.on_message(std::move(incoming_), [self = this->shared_from_this()] {
      std::lock_guard lock(self->mutex_);
      if (self->closed_) return;
      self->incoming_ = In();
      self->reactor_->StartRead(&self->incoming_);
    });
  }
  void WriteDone(bool ok) {
    std::lock_guard lock(mutex_);
    out_.Pop();
    writing_ = false;
    if (!ok) {
      out_.Clear();
      context_.TryCancel();
    } else if (!out_.empty() && !closed_) {
      writing_ = true;
      reactor_->StartWrite(out_.front());
    }
  }
  // The stream is over: nothing more is started, and the hold that let other threads start operations goes.
  void EndCall() {
    {
      std::lock_guard lock(mutex_);
      if (closed_) return;
      closed_ = true;
    }
    reactor_->RemoveHold();
  }
  void Done(const grpc::Status& status) {
    const auto handlers = std::exchange(handlers_, {});
    if (handlers.on_closed) handlers.on_closed(status);
  }

  const std::size_t queue_bytes_max_;
  Handlers handlers_;
  grpc::ClientContext context_;
  Reactor* reactor_ = nullptr;  // owned by gRPC; valid until closed_
  In incoming_;
  std::mutex mutex_;
  internal::OutQueue<Out> out_;
  bool started_ = false;
  bool writing_ = false;
  bool closed_ = false;
};

}  // namespace millrace
