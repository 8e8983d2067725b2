#!/bin/bash
# Daily backup script

# Where the server is and where it keeps its data; where this script remembers how far it came, and sends the archive.
SERVER="${SERVER:-http://localhost:4000}"
DATA_DIR="${DATA_DIR:-/var/unison/data}"
STATE_FILE="${STATE_FILE:-/var/lib/unison/wal-state.json}"
ARCHIVE_DIR="${ARCHIVE_DIR:-/tmp}"
BUCKET="${BUCKET:-s3://backups/unison}"

NAMESPACE="${NAMESPACE:-users}"
DATE=$(date +%Y%m%d)

# 1. B-Tree snapshot (daily)
echo "Creating B-Tree snapshot..."
curl -X POST $SERVER/api/v1/$NAMESPACE/btree/backup \
  -H "Content-Type: application/json" \
  -d "{\"path\": \"snapshots/btree-$DATE.db\"}"

# 2. WAL incremental
echo "Backing up WAL segments..."
LAST_SEGMENT=$(jq -r '.lastSegmentId // 0' "$STATE_FILE" 2>/dev/null || echo 0)

RESPONSE=$(curl -s -X POST $SERVER/api/v1/$NAMESPACE/wal/backup \
  -H "Content-Type: application/json" \
  -d "{\"afterSegmentId\": $LAST_SEGMENT, \"backupDir\": \"wal/$DATE\"}")

# 3. Update state
NEW_LAST=$(echo "$RESPONSE" | jq -r '.backups[-1].segmentId // 0')
if [ "$NEW_LAST" != "0" ]; then
  echo "{\"lastSegmentId\": $NEW_LAST, \"timestamp\": \"$(date -Iseconds)\"}" > "$STATE_FILE"
fi

# 4. Compress and upload to S3 (optional)
BACKUP_ROOT="$DATA_DIR/backups/$NAMESPACE"
tar -czf "$ARCHIVE_DIR/backup-$DATE.tar.gz" -C "$BACKUP_ROOT" .
aws s3 cp "$ARCHIVE_DIR/backup-$DATE.tar.gz" "$BUCKET/$NAMESPACE/"

echo "Backup completed successfully"
