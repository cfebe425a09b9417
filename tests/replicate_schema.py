"""What Replicate's OpenAPI description says of the requests and answers that localvid uses, as JSON Schema.

Written by hand from the published description (https://api.replicate.com/openapi.json, 3.1.0): names, types,
enumerations and what is required are its own; what localvid does not use is left out. `INPUT` is the model's
own schema, from its source (https://github.com/replicate/cog-svd, predict.py).
"""

from __future__ import annotations

from typing import Any

_TIME = {"type": "string", "format": "date-time"}
_URL = {"type": "string", "format": "uri"}

PREDICTION: dict[str, Any] = {
    "type": "object",
    "required": [
        "id",
        "model",
        "version",
        "input",
        "output",
        "data_removed",
        "error",
        "status",
        "created_at",
        "urls",
    ],
    "properties": {
        "id": {"type": "string"},
        "model": {"type": "string"},
        "version": {"type": "string"},
        "input": {"type": "object"},
        "output": {},
        "data_removed": {"type": "boolean"},
        "error": {"type": ["string", "null"]},
        "status": {"enum": ["starting", "processing", "succeeded", "failed", "canceled", "aborted"]},
        "source": {"enum": ["web", "api"]},
        "logs": {"type": "string"},
        "created_at": _TIME,
        "started_at": _TIME,
        "completed_at": _TIME,
        "deadline": _TIME,
        "metrics": {
            "type": "object",
            "properties": {"total_time": {"type": "number"}, "predict_time": {"type": "number"}},
        },
        "urls": {
            "type": "object",
            "required": ["web", "get", "cancel"],
            "properties": {"web": _URL, "get": _URL, "cancel": _URL, "stream": _URL},
        },
    },
}

PREDICTIONS: dict[str, Any] = {
    "type": "object",
    "properties": {
        "next": {"type": ["string", "null"]},
        "previous": {"type": ["string", "null"]},
        "results": {"type": "array", "items": PREDICTION, "maxItems": 100},
    },
}

FILE: dict[str, Any] = {
    "type": "object",
    "required": ["id", "urls", "content_type", "size", "checksums", "metadata", "created_at", "expires_at"],
    "properties": {
        "id": {"type": "string"},
        "content_type": {"type": "string"},
        "size": {"type": "integer"},
        "etag": {"type": "string"},
        "checksums": {"type": "object", "properties": {"sha256": {"type": "string"}}},
        "metadata": {"type": "object"},
        "created_at": _TIME,
        "expires_at": _TIME,
        "urls": {"type": "object", "properties": {"get": _URL}},
    },
}

PROBLEM: dict[str, Any] = {
    "type": "object",
    "properties": {
        "title": {"type": "string"},
        "detail": {"type": "string"},
        "status": {"type": "integer"},
    },
}

INPUT: dict[str, Any] = {
    "type": "object",
    "required": ["input_image"],
    "additionalProperties": False,
    "properties": {
        "input_image": _URL,
        "video_length": {"enum": ["14_frames_with_svd", "25_frames_with_svd_xt"]},
        "sizing_strategy": {"enum": ["maintain_aspect_ratio", "crop_to_16_9", "use_image_dimensions"]},
        "frames_per_second": {"type": "integer", "minimum": 5, "maximum": 30},
        "motion_bucket_id": {"type": "integer", "minimum": 1, "maximum": 255},
        "cond_aug": {"type": "number"},
        "decoding_t": {"type": "integer"},
        "seed": {"type": "integer"},
    },
}

CREATE: dict[str, Any] = {
    "type": "object",
    "required": ["version", "input"],
    "additionalProperties": False,
    "properties": {
        "version": {"type": "string", "pattern": r"^([a-z0-9-]+/[a-z0-9.-]+:)?[0-9a-f]{64}$"},
        "input": INPUT,
        "stream": {"type": "boolean"},
        "webhook": {"type": "string"},
        "webhook_events_filter": {
            "type": "array",
            "items": {"enum": ["start", "output", "logs", "completed"]},
        },
    },
}

CANCEL_AFTER = r"^(?=.)(\d+h)?(\d+m)?(\d+s?)?$"
"""Of the header `Cancel-After`: at least five seconds."""
