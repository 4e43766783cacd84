//! A route with what its callers need: each method has its scope, so that none can be added without one.

use axum::handler::Handler;
use axum::http::Method;
use axum::routing::MethodRouter;

use crate::app::AppState;
use crate::shares::Shown;
use crate::tenants::Scope;

/// What a caller of a method needs on a server that wants keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Needs {
    /// Nothing: it tells and changes nothing of anybody.
    Nothing,
    /// A key with this scope.
    Key(Scope),
    /// A key with the scope `read`, or a link that shares the session that this is of.
    Shared(Shown),
}

/// A path with its methods.
pub(super) struct Route {
    pub(super) path: &'static str,
    /// `GET` answers `HEAD`, too.
    pub(super) needs: Vec<(Method, Needs)>,
    pub(super) router: MethodRouter<AppState>,
}

/// A path without methods; `{id}` is a parameter.
pub(super) fn route(path: &'static str) -> Route {
    Route { path, needs: Vec::new(), router: MethodRouter::new() }
}

macro_rules! method {
    ($name:ident, $method:ident) => {
        pub(super) fn $name<H: Handler<T, AppState>, T: 'static>(
            mut self,
            needs: impl Into<Needs>,
            handler: H,
        ) -> Route {
            self.needs.push((Method::$method, needs.into()));
            Route { router: self.router.$name(handler), ..self }
        }
    };
}

impl Route {
    method!(get, GET);
    method!(post, POST);
    method!(put, PUT);
    method!(patch, PATCH);
    method!(delete, DELETE);
}

impl From<Scope> for Needs {
    fn from(scope: Scope) -> Needs {
        Needs::Key(scope)
    }
}

impl From<Shown> for Needs {
    fn from(shown: Shown) -> Needs {
        Needs::Shared(shown)
    }
}
