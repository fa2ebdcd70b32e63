//! One API call from the wire to the answer: decode, authenticate, check, inject faults, carry out,
//! log.

use axum::body::Bytes;
use axum::response::Response;
use http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::api::{Answer, ApiError, Caller, Params, Product, Request};
use crate::calls::{Call, is_mutating, main_ids};
use crate::faults::{Effect, Loss, Target, shorten_lists, spoil_item};
use crate::protocol::{
    ActionSchema, Wire, action_schema, authenticate, error_response, ok_response,
};
use crate::state::AppState;
use crate::world::World;
use crate::{alb, cloudapi, nlb, ram, slb, sts, vpc};

/// The connection ends without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the answer was dropped on purpose")]
pub(crate) struct Dropped;

/// What of a call is known as it goes along; ends up in the call log.
struct Record {
    call: Call,
    host: String,
}

/// Answers one API call.
pub(crate) async fn api_call(
    state: &AppState,
    parts: &http::request::Parts,
    body: Bytes,
) -> Result<Response, Dropped> {
    let wire = Wire::new(parts, body);
    let now = Timestamp::now();
    let mut record = Record::new(&wire, now);
    let answer = match prepare(state, &wire, now, &mut record) {
        Ok(request) => carry_out(state, &request, &mut record).await,
        Err(error) => Ok(Err(error)),
    };
    finish(state, record, answer).await
}

impl Record {
    fn new(wire: &Wire, time: Timestamp) -> Self {
        let action = wire
            .param("Action")
            .or_else(|| wire.header("x-acs-action"))
            .unwrap_or_default();
        Self {
            call: Call {
                time,
                product: None,
                action: action.to_owned(),
                outcome: "ok".to_owned(),
                mutating: is_mutating(action),
                answered: true,
                request_id: new_request_id(),
                access_key_id: String::new(),
                ids: std::collections::BTreeMap::new(),
                unknown_parameters: Vec::new(),
                rules: Vec::new(),
            },
            host: wire.header("host").unwrap_or_default().to_owned(),
        }
    }
}

fn new_request_id() -> String {
    crate::ids::Ids::new(format!("{:032x}", rand::random::<u128>())).uuid()
}

fn prepare(
    state: &AppState,
    wire: &Wire,
    now: Timestamp,
    record: &mut Record,
) -> Result<Request, ApiError> {
    let (product, schema) = resolve(wire, &record.call.action)?;
    record.call.product = Some(product);
    let caller = authenticate(state, wire, product, &record.call.action, now)?;
    record.call.access_key_id.clone_from(&caller.access_key_id);
    let merged = wire
        .merged()
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
    let params = Params::new(product, merged);
    record.call.ids = main_ids(Some(&params), None);
    record.call.unknown_parameters = schema
        .unknown(&params)
        .into_iter()
        .map(str::to_owned)
        .collect();
    schema.check(&params)?;
    let region = region(state, product, &params, &record.call.action)?;
    let request = request(state, record, product, params, caller, region);
    ram::authorize(&state.ram(), &request)?;
    Ok(request)
}

fn request(
    state: &AppState,
    record: &Record,
    product: Product,
    params: Params,
    caller: Caller,
    region: String,
) -> Request {
    let now = record.call.time;
    let delay = SignedDuration::try_from(state.faults().consistency_delay())
        .unwrap_or(SignedDuration::ZERO);
    Request {
        product,
        action: record.call.action.clone(),
        params,
        caller,
        region,
        now,
        visible_from: now + delay,
        request_id: record.call.request_id.clone(),
    }
}

/// The product by `Version`, the action by its table.
fn resolve(wire: &Wire, action: &str) -> Result<(Product, &'static ActionSchema), ApiError> {
    if !matches!(wire.method.as_str(), "GET" | "POST") {
        return Err(ApiError::bad_request(
            "UnsupportedHTTPMethod",
            "This http method is not supported.",
        ));
    }
    let not_found = || {
        ApiError::not_found(
            "InvalidAction.NotFound",
            "Specified api is not found, please check your url and method.",
        )
    };
    if wire.path != "/" {
        return Err(not_found());
    }
    if action.is_empty() {
        return Err(ApiError::bad_request(
            "MissingAction",
            "Action is mandatory for this action.",
        ));
    }
    let version = wire
        .param("Version")
        .or_else(|| wire.header("x-acs-version"))
        .ok_or_else(|| {
            ApiError::bad_request("MissingVersion", "Version is mandatory for this action.")
        })?;
    let product = Product::of_version(version).ok_or_else(|| {
        ApiError::bad_request(
            "InvalidVersion",
            "Specified parameter Version is not valid.",
        )
    })?;
    match action_schema(product, action)? {
        Some(schema) => Ok((product, schema)),
        None if product == Product::CloudApi => Err(ApiError::not_found(
            "InvalidApi.NotFound",
            "Specified api is not found, please check your url and method.",
        )),
        None => Err(not_found()),
    }
}

fn region(
    state: &AppState,
    product: Product,
    params: &Params,
    action: &str,
) -> Result<String, ApiError> {
    let own = state.world().region.clone();
    match params.filled("RegionId") {
        Some(other) if other != own && product != Product::Sts && action != "DescribeRegions" => {
            Err(ApiError::not_found(
                "InvalidRegionId.NotFound",
                "The specified RegionId does not exist.",
            ))
        }
        _ => Ok(own),
    }
}

/// Carries out a call under the faults in force. The outer error means: say nothing.
async fn carry_out(
    state: &AppState,
    request: &Request,
    record: &mut Record,
) -> Result<Answer, Loss> {
    let decision = {
        let mut faults = state.faults();
        if let Err(error) = faults.meter(request.product, &request.action) {
            return Ok(Err(error));
        }
        faults.decide(Target {
            product: request.product,
            action: &request.action,
            access_key_id: &request.caller.access_key_id,
            mutating: record.call.mutating,
        })
    };
    if !decision.delay.is_zero() {
        tokio::time::sleep(decision.delay).await;
    }
    if let Some(error) = decision.effect.as_ref().and_then(Effect::refusal) {
        return Ok(Err(error));
    }
    if decision.effect == Some(Effect::Hang) {
        "hang".clone_into(&mut record.call.outcome);
        return Err(Loss::Hang);
    }
    let kept = decision.effect != Some(Effect::AnsweredButNotApplied);
    let (mut answer, rules) = handle(state, request, kept);
    record.call.rules = rules;
    if let Ok(value) = &answer {
        record.call.ids.extend(main_ids(None, Some(value)));
    }
    match (decision.effect, &mut answer) {
        (Some(Effect::AppliedButUnanswered { loss }), answer) => {
            note_outcome(record, answer);
            return Err(loss);
        }
        (Some(Effect::TruncateList { keep }), Ok(value)) => shorten_lists(value, keep),
        (Some(Effect::EmptyList), Ok(value)) => shorten_lists(value, 0),
        (Some(Effect::SpoilItem { id, member }), Ok(value)) => spoil_item(value, &id, &member),
        _ => {}
    }
    Ok(answer)
}

/// Carries a call out, and keeps what comes of it if `kept`; beside the answer, what it did to forwarding
/// rules.
fn handle(state: &AppState, request: &Request, kept: bool) -> (Answer, Vec<alb::RuleWrite>) {
    let product: fn(&mut World, &Request) -> Answer = match request.product {
        Product::CloudApi => cloudapi::handle,
        Product::Alb => alb::handle,
        Product::Nlb => nlb::handle,
        Product::Slb => slb::handle,
        Product::Vpc => vpc::handle,
        Product::Sts => sts::handle,
    };
    let mut world = state.world();
    world.alb.rule_writes.clear();
    let before = (!kept).then(|| world.clone());
    let answer = product(&mut world, request);
    let rules = std::mem::take(&mut world.alb.rule_writes);
    if let Some(before) = before {
        *world = before;
    }
    drop(world);
    if answer.is_ok() && (is_mutating(&request.action) || request.product == Product::Sts) {
        state.mark_changed();
    }
    (answer, rules)
}

fn note_outcome(record: &mut Record, answer: &Answer) {
    match answer {
        Ok(_) => "ok".clone_into(&mut record.call.outcome),
        Err(error) => record.call.outcome.clone_from(&error.code),
    }
}

async fn finish(
    state: &AppState,
    mut record: Record,
    answer: Result<Answer, Loss>,
) -> Result<Response, Dropped> {
    match &answer {
        Ok(answer) => note_outcome(&mut record, answer),
        Err(_) => record.call.answered = false,
    }
    let request_id = record.call.request_id.clone();
    trace(&record.call);
    state.calls().push(record.call);
    match answer {
        Ok(Ok(value)) => Ok(ok_response(value, &request_id)),
        Ok(Err(error)) => Ok(error_response(&error, &request_id, &record.host)),
        Err(Loss::ConnectionDropped) => Err(Dropped),
        Err(Loss::GatewayTimeout) => Ok(gateway_timeout()),
        Err(Loss::Hang) => {
            state.stopping().cancelled().await;
            Err(Dropped)
        }
    }
}

fn gateway_timeout() -> Response {
    let mut response = Response::default();
    *response.status_mut() = StatusCode::GATEWAY_TIMEOUT;
    response
}

fn trace(call: &Call) {
    let product = call.product.map_or("?", Product::name);
    tracing::debug!(product, action = %call.action, outcome = %call.outcome, request_id = %call.request_id, "call");
}

/// Used by the replies of the control endpoints.
pub(crate) fn json_response(status: StatusCode, value: &Value) -> Response {
    let mut response = Response::new(axum::body::Body::from(value.to_string()));
    *response.status_mut() = status;
    let kind = http::HeaderValue::from_static("application/json");
    response
        .headers_mut()
        .insert(http::header::CONTENT_TYPE, kind);
    response
}
