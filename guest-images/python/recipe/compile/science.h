/* Included before every file of scipy, scikit-learn and statsmodels: what libc++ without threads lacks. */
#pragma once
#ifdef __cplusplus
#include "threadshim.h"
#include <chrono>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
_LIBCPP_BEGIN_NAMESPACE_STD
template <class... Locks> void lock(Locks &...) {}
template <class... Locks> int try_lock(Locks &...) { return -1; }

// Futures of tasks that run where they are called.
enum class future_status { ready, timeout, deferred };
template <class R> struct __task_result {
    optional<R> value;
    exception_ptr error;
    template <class F> void set(F &&f) { value.emplace(f()); }
    R take() { return std::move(*value); }
};
template <> struct __task_result<void> {
    exception_ptr error;
    template <class F> void set(F &&f) { f(); }
    void take() {}
};
template <class R> class future {
    shared_ptr<__task_result<R>> state;
public:
    future() = default;
    explicit future(shared_ptr<__task_result<R>> from) : state(std::move(from)) {}
    bool valid() const { return state != nullptr; }
    void wait() const {}
    template <class T> future_status wait_for(T const &) const { return future_status::ready; }
    R get()
    {
        auto result = std::move(state);
        if (result->error) {
            rethrow_exception(result->error);
        }
        return result->take();
    }
};
template <class> class packaged_task;
template <class R, class... A> class packaged_task<R(A...)> {
    function<R(A...)> task;
    shared_ptr<__task_result<R>> state = make_shared<__task_result<R>>();
public:
    packaged_task() = default;
    template <class F> explicit packaged_task(F f) : task(std::move(f)) {}
    future<R> get_future() { return future<R>(state); }
    void operator()(A... a)
    {
        try {
            state->set([&] { return task(std::forward<A>(a)...); });
        } catch (...) {
            state->error = current_exception();
        }
    }
};
_LIBCPP_END_NAMESPACE_STD
#endif
