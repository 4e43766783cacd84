//! Engine: one QuickJS context, the turns that it takes, and the loop of promises and timers.

use rquickjs::promise::PromiseState;
use rquickjs::{
    Context, Ctx, Error, Function, Module, Object, Persistent, Promise, Runtime, Value, context::EvalOptions, qjs,
};

use crate::source::{self, Parts};
use crate::{modules, natives};

/// Statuses of our own; `process.exit(n)` can give any other.
const FAILED: i32 = 1;

/// Deepest use of the stack in linear memory, in bytes; the rest of it (see `build.rs`) is for reporting what happened.
const STACK: usize = 768 << 10;

/// Bytes of new objects after which cycles are looked for. Looking touches every object of the memory image, which would
/// cost a small script more than all else it does.
const GC_THRESHOLD: usize = 24 << 20;

/// The interpreter and the functions of `guest/turn.js`.
pub struct Engine {
    context: Context,
    runtime: Runtime,
    hooks: Persistent<Object<'static>>,
}

/// Why a turn stops before its end.
enum Stop<'js> {
    /// An exception that nobody caught.
    Uncaught(Value<'js>),
    /// `process.exit()`.
    Exit,
}

impl Engine {
    /// Starts QuickJS, loads what scripts can import, and takes a turn of each kind so that nothing is slow the first time.
    pub fn start() -> Result<Engine, String> {
        let text = |error: Error| error.to_string();
        let runtime = Runtime::new().map_err(text)?;
        runtime.set_max_stack_size(STACK);
        runtime.set_loader(modules::Resolve, modules::Load);
        let context = Context::full(&runtime).map_err(text)?;
        let hooks = context.with(|ctx| {
            let hooks = load(&ctx).map_err(|error| describe(&ctx, error))?;
            Ok::<_, String>(Persistent::save(&ctx, hooks))
        })?;
        let engine = Engine { context, runtime, hooks };
        engine.track_rejections();
        for source in modules::first_turns() {
            let request = format!("{{\"source\": {source:?}, \"filename\": \"warm-up\", \"warm_up\": true}}");
            if engine.turn(request.into_bytes()) != 0 {
                return Err("the warm-up script failed".into());
            }
        }
        engine.context.with(|ctx| {
            let hooks = engine.hooks.clone().restore(&ctx).map_err(text)?;
            call::<()>(&hooks, "forget", ()).map_err(|error| describe(&ctx, error))
        })?;
        natives::be_heard();
        engine.runtime.run_gc();
        engine.runtime.set_gc_threshold(GC_THRESHOLD);
        Ok(engine)
    }

    /// Takes one turn and returns its status. `request` is the contract's JSON.
    pub fn turn(&self, request: Vec<u8>) -> i32 {
        // The stack is measured from here; its limit is not a property of the memory image.
        self.runtime.set_max_stack_size(STACK);
        self.context.with(|ctx| {
            // SAFETY: the runtime lives as long as the context; the call writes two of its fields.
            unsafe { qjs::JS_UpdateStackTop(qjs::JS_GetRuntime(ctx.as_raw().as_ptr())) };
            let Ok(hooks) = self.hooks.clone().restore(&ctx) else { return FAILED };
            natives::begin();
            let result = Turn { ctx: &ctx, hooks: &hooks }.take(request);
            let status = match result {
                Ok(()) => call(&hooks, "status", ()).unwrap_or(0),
                Err(Stop::Exit) => natives::exit_code().unwrap_or(0),
                Err(Stop::Uncaught(error)) => {
                    natives::make_room();
                    // Not even the error could be made: QuickJS throws null then.
                    let out_of_memory = error.is_null() && natives::memory_is_used_up();
                    call(&hooks, "report", (error, out_of_memory)).unwrap_or_else(|error| {
                        eprintln!("{}", describe(&ctx, error));
                        FAILED
                    })
                }
            };
            // What is still queued belongs to a turn that is over: it runs, and each door to the outside throws.
            natives::close();
            while ctx.execute_pending_job() {}
            let _ = call::<()>(&hooks, "end", ());
            status
        })
    }

    fn track_rejections(&self) {
        let hooks = self.hooks.clone();
        self.runtime.set_host_promise_rejection_tracker(Some(Box::new(move |ctx, promise, reason, handled| {
            if let Ok(hooks) = hooks.clone().restore(&ctx) {
                let _ = call::<()>(&hooks, if handled { "handled" } else { "rejected" }, (promise, reason));
            }
        })));
    }
}

/// One turn under way.
struct Turn<'a, 'js> {
    ctx: &'a Ctx<'js>,
    hooks: &'a Object<'js>,
}

impl<'js> Turn<'_, 'js> {
    fn take(&self, request: Vec<u8>) -> Result<(), Stop<'js>> {
        let request = String::from_utf8(request).map_err(|_| self.stop(Error::Unknown))?;
        let plan: Object = self.call("begin", (request,))?;
        let field = |name: &str| plan.get::<_, String>(name).map_err(|error| self.stop(error));
        let (source, filename, echo) = (field("source")?, field("filename")?, field("echo")?);
        let Parts { imports, script, shows } = source::cut(&source);
        drop(source);
        if let Some(imports) = imports {
            let promise = Module::evaluate(self.ctx.clone(), filename.as_str(), imports);
            self.settle::<Value>(promise.map_err(|error| self.stop(error))?)?;
        }
        let mut options = EvalOptions::default();
        options.promise = true;
        options.filename = Some(filename);
        let promise = self.ctx.eval_with_options(script, options).map_err(|error| self.stop(error))?;
        let value: Value = self.settle::<Object>(promise)?.get("value").map_err(|error| self.stop(error))?;
        while self.step()? {}
        if shows && echo == "last" {
            self.call::<_, ()>("show", (value,))?;
            while self.step()? {}
        }
        Ok(())
    }

    /// Waits for a promise of a whole script or module.
    fn settle<R: rquickjs::FromJs<'js>>(&self, promise: Promise<'js>) -> Result<R, Stop<'js>> {
        while promise.state() == PromiseState::Pending {
            if !self.step()? {
                return Err(Stop::Uncaught(self.call("never_settled", ())?));
            }
        }
        self.call::<_, ()>("handled", (promise.clone(),))?;
        promise.result().unwrap_or(Err(Error::Unknown)).map_err(|error| self.stop(error))
    }

    /// Runs one queued job or the next timer. `false` when there is neither.
    fn step(&self) -> Result<bool, Stop<'js>> {
        let ran = self.ctx.execute_pending_job();
        self.check_exit()?;
        if ran {
            return Ok(true);
        }
        // With no job left, a rejection that nobody has taken will not be taken.
        let unhandled: rquickjs::Array = self.call("take_unhandled", ())?;
        if !unhandled.is_empty() {
            return Err(Stop::Uncaught(unhandled.get(0).map_err(|error| self.stop(error))?));
        }
        self.call("run_timer", ())
    }

    fn check_exit(&self) -> Result<(), Stop<'js>> {
        if natives::exit_code().is_some() { Err(Stop::Exit) } else { Ok(()) }
    }

    fn call<A: rquickjs::function::IntoArgs<'js>, R: rquickjs::FromJs<'js>>(
        &self,
        hook: &str,
        args: A,
    ) -> Result<R, Stop<'js>> {
        let function: Function = self.hooks.get(hook).map_err(|error| self.stop(error))?;
        let result = function.call(args).map_err(|error| self.stop(error))?;
        self.check_exit()?;
        Ok(result)
    }

    fn stop(&self, error: Error) -> Stop<'js> {
        if natives::exit_code().is_some() {
            self.ctx.catch();
            return Stop::Exit;
        }
        Stop::Uncaught(thrown(self.ctx, error))
    }
}

/// Loads `guest/turn.js` and all that it imports.
fn load<'js>(ctx: &Ctx<'js>) -> rquickjs::Result<Object<'js>> {
    natives::install(ctx)?;
    let hooks: Object = Module::import(ctx, "glovebox:turn")?.finish()?;
    for name in modules::packages() {
        let package: Value = Module::import(ctx, name)?.finish()?;
        call::<()>(&hooks, "add_package", (name, package))?;
    }
    ctx.globals().remove(natives::NAME)?;
    Ok(hooks)
}

fn call<'js, R: rquickjs::FromJs<'js>>(
    hooks: &Object<'js>,
    hook: &str,
    args: impl rquickjs::function::IntoArgs<'js>,
) -> rquickjs::Result<R> {
    hooks.get::<_, Function>(hook)?.call(args)
}

/// The value that was thrown, or an error that says what rquickjs met.
fn thrown<'js>(ctx: &Ctx<'js>, error: Error) -> Value<'js> {
    if error.is_exception() {
        return ctx.catch();
    }
    match rquickjs::Exception::from_message(ctx.clone(), &error.to_string()) {
        Ok(exception) => exception.into_object().into_value(),
        Err(_) => ctx.catch(),
    }
}

/// An error of ours as text, for faults that no script has made.
fn describe(ctx: &Ctx<'_>, error: Error) -> String {
    let value = thrown(ctx, error);
    match value.as_exception() {
        Some(exception) => exception.to_string(),
        None => format!("{value:?}"),
    }
}
