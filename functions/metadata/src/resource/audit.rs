use tidegate_function::Answer;
use tidegate_stream::{Json, Ledger};

use crate::{
    answer::json,
    call::{Call, Go},
    ledger,
    query::Query,
    route::PAGE,
};

pub(crate) fn list(call: &mut Call<'_>) -> Go<Answer> {
    let query = Query::parse(&call.request.query, PAGE)?;
    let (limit, before) = (query.limit(usize::MAX)?, query.number("cursor")?);
    let (items, next) = ledger::page(call, Ledger::Audit, before, limit)?;
    Ok(json(200, &Json::object().with("items", items).with("next", next.map(|next| alloc::format!("{next}")))))
}
