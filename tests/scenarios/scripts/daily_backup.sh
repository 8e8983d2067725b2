#!/bin/bash
# Daily backup script

NAMESPACE="users"
DATE=$(date +%Y%m%d)
STATE_FILE="/var/lib/unison/wal-state.json"

# 1. B-Tree snapshot (daily)
echo "Creating B-Tree snapshot..."
curl -X POST http://localhost:4000/api/v1/$NAMESPACE/btree/backup \
  -H "Content-Type: application/json" \
  -d "{\"path\": \"snapshots/btree-$DATE.db\"}"

# 2. WAL incremental
echo "Backing up WAL segments..."
LAST_SEGMENT=$(jq -r '.lastSegmentId // 0' "$STATE_FILE" 2>/dev/null || echo 0)

RESPONSE=$(curl -s -X POST http://localhost:4000/api/v1/$NAMESPACE/wal/backup \
  -H "Content-Type: application/json" \
  -d "{\"afterSegmentId\": $LAST_SEGMENT, \"backupDir\": \"wal/$DATE\"}")

# 3. Update state
NEW_LAST=$(echo "$RESPONSE" | jq -r '.backups[-1].segmentId // 0')
if [ "$NEW_LAST" != "0" ]; then
  echo "{\"lastSegmentId\": $NEW_LAST, \"timestamp\": \"$(date -Iseconds)\"}" > "$STATE_FILE"
fi

# 4. Compress and upload to S3 (optional)
BACKUP_ROOT="/var/unison/data/backups/$NAMESPACE"
tar -czf "/tmp/backup-$DATE.tar.gz" -C "$BACKUP_ROOT" .
aws s3 cp "/tmp/backup-$DATE.tar.gz" "s3://backups/unison/$NAMESPACE/"

echo "Backup completed successfully"
