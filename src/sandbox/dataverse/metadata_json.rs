//! Tables, columns and keys as the metadata part of the Web API writes them.

use serde_json::{Map, Value, json};

use super::columns::{Column, Kind, Required};
use super::table::{AlternateKey, Table};

/// A label in the one language of the organization.
fn label(text: &str) -> Value {
    let one = json!({ "Label": text, "LanguageCode": 1033, "IsManaged": true });
    json!({ "LocalizedLabels": [one], "UserLocalizedLabel": one })
}

/// The definition of a table.
pub(super) fn table(table: &Table, is_tracked: bool) -> Value {
    json!({
        "MetadataId": table.metadata_id.to_string(),
        "LogicalName": table.logical,
        "SchemaName": table.schema_name,
        "EntitySetName": table.set,
        "LogicalCollectionName": table.set,
        "CollectionSchemaName": table.schema_name,
        "PrimaryIdAttribute": table.id_column,
        "PrimaryNameAttribute": table.name_column,
        "ObjectTypeCode": table.object_type_code,
        "OwnershipType": "UserOwned",
        "IsCustomEntity": false,
        "IsActivity": false,
        "ChangeTrackingEnabled": is_tracked,
        "DisplayName": label(table.schema_name),
        "DisplayCollectionName": label(table.set),
        "Description": label(""),
    })
}

/// The type of a column: its enumeration's member, and the name of its definition's class.
pub(super) fn kind(column: &Column) -> (&'static str, &'static str) {
    match &column.kind {
        Kind::Text { .. } => ("String", "StringAttributeMetadata"),
        Kind::Memo { .. } => ("Memo", "MemoAttributeMetadata"),
        Kind::Whole { .. } => ("Integer", "IntegerAttributeMetadata"),
        Kind::Decimal { money: true, .. } => ("Money", "MoneyAttributeMetadata"),
        Kind::Decimal { money: false, .. } => ("Decimal", "DecimalAttributeMetadata"),
        Kind::Choice { .. } => ("Picklist", "PicklistAttributeMetadata"),
        Kind::State { .. } => ("State", "StateAttributeMetadata"),
        Kind::Status { .. } => ("Status", "StatusAttributeMetadata"),
        Kind::Flag => ("Boolean", "BooleanAttributeMetadata"),
        Kind::Time | Kind::Date => ("DateTime", "DateTimeAttributeMetadata"),
        Kind::Lookup { owner: true, .. } => ("Owner", "LookupAttributeMetadata"),
        Kind::Lookup { owner: false, .. } => ("Lookup", "LookupAttributeMetadata"),
        Kind::Id => ("Uniqueidentifier", "UniqueIdentifierAttributeMetadata"),
        Kind::Version => ("BigInt", "BigIntAttributeMetadata"),
    }
}

/// The definition of a column; what only its class has is there when `detailed`.
pub(super) fn column(table: &Table, column: &Column, detailed: bool) -> Map<String, Value> {
    let (name, class) = kind(column);
    let level = if column.required == Required::System {
        json!({ "Value": "SystemRequired", "CanBeChanged": false, "ManagedPropertyLogicalName": "canmodifyrequirementlevelsettings" })
    } else {
        json!({ "Value": column.required.name(), "CanBeChanged": true, "ManagedPropertyLogicalName": "canmodifyrequirementlevelsettings" })
    };
    let mut object = Map::new();
    let mut put = |name: &str, value: Value| {
        object.insert(name.to_owned(), value);
    };
    put(
        "@odata.type",
        json!(format!("#Microsoft.Dynamics.CRM.{class}")),
    );
    put("MetadataId", json!(column.metadata_id.to_string()));
    put("LogicalName", json!(&*column.name));
    put("SchemaName", json!(column.schema_name));
    put("EntityLogicalName", json!(table.logical));
    put("AttributeType", json!(name));
    put(
        "AttributeTypeName",
        json!({ "Value": format!("{name}Type") }),
    );
    put("RequiredLevel", level);
    put("IsValidForCreate", json!(column.on_create));
    put("IsValidForUpdate", json!(column.on_update));
    put("IsValidForRead", json!(true));
    put("IsPrimaryId", json!(*column.name == *table.id_column));
    put("IsPrimaryName", json!(*column.name == *table.name_column));
    put("IsCustomAttribute", json!(column.custom));
    put("IsLogical", json!(false));
    put("AttributeOf", Value::Null);
    put("DisplayName", label(&column.label));
    put("Description", label(""));
    if !detailed {
        return object;
    }
    match &column.kind {
        Kind::Text { max, format } => {
            put("MaxLength", json!(max));
            put("Format", json!(format));
            put("FormatName", json!({ "Value": format }));
        }
        Kind::Memo { max } => put("MaxLength", json!(max)),
        Kind::Whole { min, max } => {
            put("MinValue", json!(min));
            put("MaxValue", json!(max));
        }
        Kind::Decimal { min, max, .. } => {
            put("MinValue", json!(min));
            put("MaxValue", json!(max));
            put("Precision", json!(2));
        }
        Kind::Time => {
            put("Format", json!("DateAndTime"));
            put("DateTimeBehavior", json!({ "Value": "UserLocal" }));
        }
        Kind::Date => {
            put("Format", json!("DateOnly"));
            put("DateTimeBehavior", json!({ "Value": "DateOnly" }));
        }
        Kind::Lookup { targets, .. } => {
            let tables: Vec<&str> = targets.iter().map(|(table, _)| *table).collect();
            put("Targets", json!(tables));
        }
        Kind::Choice { options } | Kind::State { options } => {
            let options = options
                .iter()
                .map(|(value, text)| option(*value, text))
                .collect();
            put("OptionSet", option_set(table, column, options));
            put("GlobalOptionSet", Value::Null);
        }
        Kind::Status { options } => {
            let options = options
                .iter()
                .map(|(value, text, state)| {
                    let mut option = option(*value, text);
                    if let Some(object) = option.as_object_mut() {
                        object.insert("State".to_owned(), json!(state));
                    }
                    option
                })
                .collect();
            put("OptionSet", option_set(table, column, options));
            put("GlobalOptionSet", Value::Null);
        }
        Kind::Flag => put(
            "OptionSet",
            json!({ "TrueOption": option(1, "Yes"), "FalseOption": option(0, "No") }),
        ),
        Kind::Id | Kind::Version => {}
    }
    object
}

fn option(value: i64, text: &str) -> Value {
    json!({ "Value": value, "Label": label(text), "Description": label(""), "Color": null, "IsManaged": true })
}

fn option_set(table: &Table, column: &Column, options: Vec<Value>) -> Value {
    json!({
        "MetadataId": column.metadata_id.to_string(),
        "Name": format!("{}_{}", table.logical, column.name),
        "IsGlobal": false,
        "OptionSetType": kind(column).0,
        "Options": options,
    })
}

/// The definition of an alternate key at a moment.
pub(super) fn key(table: &Table, key: &AlternateKey, now_ms: i64) -> Value {
    let columns: Vec<&str> = key.columns.iter().map(AsRef::as_ref).collect();
    let status = if key.failed {
        "Failed"
    } else if key.active_from_ms <= now_ms {
        "Active"
    } else {
        "Pending"
    };
    json!({
        "MetadataId": key.metadata_id.to_string(),
        "SchemaName": key.schema_name,
        "LogicalName": key.name,
        "EntityLogicalName": table.logical,
        "KeyAttributes": columns,
        "EntityKeyIndexStatus": status,
        "DisplayName": label(&key.schema_name),
    })
}

/// One relationship for each table that a lookup may point to.
pub(super) fn relationships(table: &Table) -> Vec<Value> {
    let mut all = Vec::new();
    for column in table.columns.values() {
        let Kind::Lookup { targets, .. } = &column.kind else {
            continue;
        };
        for (target, navigation) in targets {
            all.push(json!({
                "MetadataId": super::columns::name_id(&format!("{}.{}.{target}", table.logical, column.name)).to_string(),
                "SchemaName": format!("{}_{}_{target}", table.logical, column.name),
                "ReferencingEntity": table.logical,
                "ReferencingAttribute": &*column.name,
                "ReferencedEntity": target,
                "ReferencedAttribute": format!("{target}id"),
                "ReferencingEntityNavigationPropertyName": navigation,
            }));
        }
    }
    all
}
