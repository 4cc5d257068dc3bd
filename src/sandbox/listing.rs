//! How lists and entities are printed: projection, offset pages, cursor pages, searches.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::gateway::{Call, illegal, page};
use super::reply::Reply;
use super::restli::{Param, Projection};

type Outcome = Result<Reply, Reply>;

impl Call<'_> {
    /// The `fields` projection, if there is one.
    pub(super) fn projection(&self) -> Result<Option<Projection>, Reply> {
        self.params
            .text("fields")
            .filter(|fields| !fields.is_empty())
            .map(|fields| {
                Projection::parse(&fields).map_err(|()| illegal("Invalid fields projection"))
            })
            .transpose()
    }

    fn printed(&self, projection: Option<&Projection>, value: Value) -> Value {
        match projection {
            Some(projection) => projection.apply(value),
            None => value,
        }
    }

    /// One entity.
    pub(super) fn entity(&self, value: Value) -> Outcome {
        let projection = self.projection()?;
        Ok(Reply::json(200, &self.printed(projection.as_ref(), value)))
    }

    /// An offset page of a list that is whole in memory. Without paging parameters `everything` gives all of it.
    pub(super) fn offset_page(&self, all: Vec<Value>, total: bool, everything: bool) -> Outcome {
        let projection = self.projection()?;
        let unpaged = everything && !self.params.has("start") && !self.params.has("count");
        let (start, count) = if unpaged {
            (0, 2_147_483_647)
        } else {
            self.offset()?
        };
        let length = all.len() as u64;
        let elements: Vec<Vec<u8>> = all
            .into_iter()
            .skip(usize::try_from(start).unwrap_or(usize::MAX))
            .take(usize::try_from(count).unwrap_or(usize::MAX))
            .map(|value| {
                self.printed(projection.as_ref(), value)
                    .to_string()
                    .into_bytes()
            })
            .collect();
        let next =
            (start.saturating_add(count) < length).then(|| self.next_link(start + count, count));
        Ok(page(
            start,
            count,
            total.then_some(length as i64),
            next,
            &elements,
        ))
    }

    /// LinkedIn's relative `next` link.
    pub(super) fn next_link(&self, start: u64, count: u64) -> String {
        let kept: Vec<&str> = self
            .query
            .split('&')
            .filter(|part| {
                !part.starts_with("start=") && !part.starts_with("count=") && !part.is_empty()
            })
            .collect();
        format!(
            "{}?{}&start={start}&count={count}",
            self.path,
            kept.join("&")
        )
    }

    /// A cursor page.
    pub(super) fn cursor_page(&self, all: Vec<Value>) -> Outcome {
        let projection = self.projection()?;
        // Lead Sync's own recipe still uses count and start here.
        if self.params.has("start") || (self.params.has("count") && !self.params.has("pageSize")) {
            return self.offset_page(all, true, false);
        }
        let size = self
            .params
            .number("pageSize")
            .map_err(|()| illegal("pageSize must be a number"))?
            .unwrap_or(100);
        if size == 0 || size > 1000 {
            return Err(illegal("pageSize must be between 1 and 1000"));
        }
        let size = size.min(100) as usize;
        let from = match self.params.text("pageToken") {
            None => 0,
            Some(token) => URL_SAFE_NO_PAD
                .decode(token)
                .ok()
                .and_then(|bytes| String::from_utf8(bytes).ok())
                .and_then(|text| text.strip_prefix("cursor:")?.parse::<usize>().ok())
                .ok_or_else(|| illegal("Invalid pageToken"))?,
        };
        let next = (from + size < all.len())
            .then(|| URL_SAFE_NO_PAD.encode(format!("cursor:{}", from + size)));
        let elements: Vec<Value> = all
            .into_iter()
            .skip(from)
            .take(size)
            .map(|value| self.printed(projection.as_ref(), value))
            .collect();
        let metadata = next.map_or_else(|| json!({}), |token| json!({ "nextPageToken": token }));
        Ok(Reply::json(
            200,
            &json!({ "elements": elements, "metadata": metadata }),
        ))
    }

    /// The statuses that a search is limited to, in protocol 2.0 and 1.0.
    pub(super) fn searched(&self, field: &str) -> Result<Option<Vec<String>>, Reply> {
        let search = self
            .params
            .value("search")
            .map_err(|()| illegal("Invalid search"))?;
        let values = search
            .as_ref()
            .and_then(|search| search.member(field))
            .and_then(|field| field.member("values"))
            .map(Param::texts);
        let old = self.params.indexed(&format!("search.{field}.values"));
        Ok(values.or((!old.is_empty()).then_some(old)))
    }
}
